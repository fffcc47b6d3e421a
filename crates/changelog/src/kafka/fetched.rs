//! What a client has fetched, taken many records at a time.
//!
//! `BaseConsumer::poll` makes an event of each record: the queue is locked, the clock is read three times and two objects are
//! made and dropped for it, which is half of what reading costs. `docs/decisions/records-by-ffi.md` says more, and why there is
//! unsafe code here.
//!
//! In the queue of records librdkafka also leaves what it has to say, and would print it where it meets it among records. So
//! its log goes to a queue of its own, and comes to the client's context from there.
#![allow(
    unsafe_code,
    reason = "calls that rdkafka has no safe form of; each block says why it is sound"
)]

use super::cluster::Context;
use super::owned::Owned;
use rdkafka::bindings as sys;
use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::collections::VecDeque;
use std::ffi::{CStr, c_char, c_void};
use std::marker::PhantomData;
use std::ptr;
use std::time::Duration;

/// Records that are taken from the queue at once.
const AT_ONCE: usize = 256;

/// The client of a consumer, and what was taken from its queue and not handed out.
pub(super) struct Feed {
    // Dropped in this order: what is the client's before the client.
    taken: VecDeque<Owned<sys::rd_kafka_message_t>>,
    records: Owned<sys::rd_kafka_queue_t>,
    log: Owned<sys::rd_kafka_queue_t>,
    client: BaseConsumer<Context>,
}

// SAFETY: librdkafka's queues and messages belong to no thread, and whoever uses them here has the only reference to the feed.
unsafe impl Send for Feed {}

/// A record that was fetched.
pub(super) struct Fetched<'a> {
    message: Owned<sys::rd_kafka_message_t>,
    /// The message must not outlive the client that it is of.
    feed: PhantomData<&'a Feed>,
}

impl Feed {
    /// Takes over a client of a group which has nothing assigned yet.
    pub(super) fn new(client: BaseConsumer<Context>) -> KafkaResult<Self> {
        let native = client.client().native_ptr();
        // SAFETY: `native` is a live handle, since we own the client. Both calls return a reference that is ours.
        let (records, log) = unsafe {
            let free = sys::rd_kafka_queue_destroy as unsafe extern "C" fn(_);
            (
                Owned::new(sys::rd_kafka_queue_get_consumer(native), free)?,
                Owned::new(sys::rd_kafka_queue_new(native), free)?,
            )
        };
        // SAFETY: client and queue are alive; librdkafka keeps a reference of its own to the queue.
        match unsafe { sys::rd_kafka_set_log_queue(native, log.as_ptr()) }.into() {
            RDKafkaErrorCode::NoError => {}
            code => return Err(KafkaError::ClientCreation(code.to_string())),
        }
        let feed = Self {
            taken: VecDeque::new(),
            records,
            log,
            client,
        };
        // What was said before.
        feed.tell(&feed.records);
        Ok(feed)
    }

    pub(super) fn client(&self) -> &BaseConsumer<Context> {
        &self.client
    }

    /// Whether all that was taken from the queue has been handed out.
    pub(super) fn is_drained(&self) -> bool {
        self.taken.is_empty()
    }

    /// The next record or error of a partition; waits for one up to `timeout`.
    pub(super) fn poll(&mut self, timeout: Duration) -> Option<KafkaResult<Fetched<'_>>> {
        if self.taken.is_empty() {
            self.take(AT_ONCE, 0);
            let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
            if self.taken.is_empty() && millis > 0 {
                self.take(1, millis);
            }
            self.tell(&self.log);
        }
        let message = self.taken.pop_front()?;
        Some(Fetched::new(message))
    }

    /// Takes up to `most` records from the queue. It waits until there are as many, or the time is over.
    fn take(&mut self, most: usize, millis: i32) {
        let mut messages = [ptr::null_mut(); AT_ONCE];
        // SAFETY: the queue is alive, and `messages` has room for as many as we ask for.
        let count = unsafe {
            sys::rd_kafka_consume_batch_queue(
                self.records.as_ptr(),
                millis,
                messages.as_mut_ptr(),
                most.min(messages.len()),
            )
        };
        let messages = messages.iter().take(usize::try_from(count).unwrap_or(0));
        self.taken.extend(messages.filter_map(|&message| {
            // SAFETY: the call filled in as many messages as it returned, each ours to destroy.
            unsafe { Owned::new(message, sys::rd_kafka_message_destroy) }.ok()
        }));
    }

    /// Brings what librdkafka had to say to the client's context.
    fn tell(&self, queue: &Owned<sys::rd_kafka_queue_t>) {
        loop {
            // SAFETY: the queue is alive; a polled event is ours to destroy.
            let event = unsafe {
                let event = sys::rd_kafka_queue_poll(queue.as_ptr(), 0);
                Owned::new(event, sys::rd_kafka_event_destroy)
            };
            let Ok(event) = event else {
                return;
            };
            let (mut facility, mut text, mut level) = (ptr::null(), ptr::null(), 0);
            // SAFETY: the event is alive; of a line of the log the call returns 0, with two texts that are the event's.
            let line = unsafe {
                let result = sys::rd_kafka_event_log(
                    event.as_ptr(),
                    &raw mut facility,
                    &raw mut text,
                    &raw mut level,
                );
                (result == 0 && !facility.is_null() && !text.is_null())
                    .then(|| (CStr::from_ptr(facility), CStr::from_ptr(text)))
            };
            if let Some((facility, text)) = line {
                let (facility, text) = (facility.to_string_lossy(), text.to_string_lossy());
                let context = self.client.context();
                context.log(level_of(level), facility.trim(), text.trim());
            }
        }
    }
}

/// The level of a line by its number, which is that of syslog.
fn level_of(number: i32) -> RDKafkaLogLevel {
    use RDKafkaLogLevel as Level;
    match number {
        ..=0 => Level::Emerg,
        1 => Level::Alert,
        2 => Level::Critical,
        3 => Level::Error,
        4 => Level::Warning,
        5 => Level::Notice,
        6 => Level::Info,
        7.. => Level::Debug,
    }
}

impl Fetched<'_> {
    /// A record, or the error that came in its place.
    fn new(message: Owned<sys::rd_kafka_message_t>) -> KafkaResult<Self> {
        let fetched = Self {
            message,
            feed: PhantomData,
        };
        match fetched.native().err.into() {
            RDKafkaErrorCode::NoError => Ok(fetched),
            RDKafkaErrorCode::PartitionEOF => Err(KafkaError::PartitionEOF(fetched.partition())),
            code @ RDKafkaErrorCode::Fatal => Err(KafkaError::MessageConsumptionFatal(code)),
            code => Err(KafkaError::MessageConsumption(code)),
        }
    }

    fn native(&self) -> &sys::rd_kafka_message_t {
        // SAFETY: the message is alive, and nobody writes to it.
        unsafe { &*self.message.as_ptr() }
    }

    pub(super) fn partition(&self) -> i32 {
        self.native().partition
    }

    pub(super) fn offset(&self) -> i64 {
        self.native().offset
    }

    /// In milliseconds since 1970 UTC, where the record has one.
    pub(super) fn timestamp_ms(&self) -> Option<i64> {
        use sys::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE as NONE;
        let mut kind = NONE;
        // SAFETY: the message is alive; `kind` is written before the call returns.
        let millis =
            unsafe { sys::rd_kafka_message_timestamp(self.message.as_ptr(), &raw mut kind) };
        (kind != NONE && millis != -1).then_some(millis)
    }

    pub(super) fn key(&self) -> Option<&[u8]> {
        // SAFETY: the key is null or as long as is said there, and lives as long as the message.
        unsafe { bytes(self.native().key, self.native().key_len) }
    }

    pub(super) fn value(&self) -> Option<&[u8]> {
        // SAFETY: as of the key.
        unsafe { bytes(self.native().payload, self.native().len) }
    }

    /// The headers in order, each with its name if that is text. A value that is null reads as no bytes.
    pub(super) fn headers(&self) -> impl Iterator<Item = (Option<&str>, &[u8])> {
        let mut headers = ptr::null_mut();
        // SAFETY: the message is alive; where it has headers, they are its own and as long alive.
        let count = unsafe {
            match sys::rd_kafka_message_headers(self.message.as_ptr(), &raw mut headers).into() {
                RDKafkaErrorCode::NoError => sys::rd_kafka_header_cnt(headers),
                _ => 0,
            }
        };
        (0..count).map_while(move |at| {
            let (mut name, mut value, mut length) = (ptr::null::<c_char>(), ptr::null(), 0);
            // SAFETY: `at` is below the headers' count. Name, a text, and value are theirs.
            unsafe {
                let found = sys::rd_kafka_header_get_all(
                    headers,
                    at,
                    &raw mut name,
                    &raw mut value,
                    &raw mut length,
                );
                if RDKafkaErrorCode::from(found) != RDKafkaErrorCode::NoError || name.is_null() {
                    return None;
                }
                let value = bytes(value.cast_mut(), length).unwrap_or_default();
                Some((CStr::from_ptr(name).to_str().ok(), value))
            }
        })
    }
}

/// # Safety
/// `start` is null, or `length` bytes that nobody writes to lie there for as long as `'a` lasts.
unsafe fn bytes<'a>(start: *mut c_void, length: usize) -> Option<&'a [u8]> {
    // SAFETY: by our own contract.
    (!start.is_null()).then(|| unsafe { std::slice::from_raw_parts(start.cast(), length) })
}
