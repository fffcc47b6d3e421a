//! The id and partition count of topics, by librdkafka's `DescribeTopics`, which rdkafka does not wrap.
//!
//! `docs/decisions/topic-ids-by-ffi.md` says why there is unsafe code here. It makes one request, waits for the answer, copies
//! what it needs and frees everything before it returns.
#![allow(
    unsafe_code,
    reason = "a request that rdkafka has no safe call for; each block says why it is sound"
)]

use super::owned::Owned;
use crate::types::TopicId;
use rdkafka::ClientContext;
use rdkafka::bindings as sys;
use rdkafka::client::Client;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::ffi::{CStr, CString, c_char};
use std::time::Duration;

/// A topic as the brokers describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) name: String,
    pub(super) id: TopicId,
    pub(super) partitions: u32,
}

/// Describes the topics of these names, in this order; `None` for one that is not there. Waits up to `timeout`.
pub(super) fn describe<C: ClientContext>(
    client: &Client<C>,
    names: &[&str],
    timeout: Duration,
) -> KafkaResult<Vec<Option<Described>>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<CString> = names
        .iter()
        .map(|name| CString::new(*name))
        .collect::<Result<_, _>>()?;
    let mut pointers: Vec<*const c_char> = names.iter().map(|name| name.as_ptr()).collect();
    let millis = i32::try_from(timeout.as_millis())
        .unwrap_or(i32::MAX)
        .max(1);
    let client = client.native_ptr();

    // SAFETY: `client` is a live handle, since we borrow its owner for the whole function. `pointers` holds as many
    // NUL-terminated strings as we say, alive until the end of the function; librdkafka copies them.
    let (topics, options, queue) = unsafe {
        (
            Owned::new(
                sys::rd_kafka_TopicCollection_of_topic_names(pointers.as_mut_ptr(), pointers.len()),
                sys::rd_kafka_TopicCollection_destroy,
            )?,
            Owned::new(
                sys::rd_kafka_AdminOptions_new(
                    client,
                    sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBETOPICS,
                ),
                sys::rd_kafka_AdminOptions_destroy,
            )?,
            Owned::new(sys::rd_kafka_queue_new(client), sys::rd_kafka_queue_destroy)?,
        )
    };
    let mut reason: [c_char; 256] = [0; 256];
    // SAFETY: `options` is alive; `reason` is writable for the length that we give.
    let set = unsafe {
        sys::rd_kafka_AdminOptions_set_request_timeout(
            options.as_ptr(),
            millis,
            reason.as_mut_ptr(),
            reason.len(),
        )
    };
    check(set)?;
    // SAFETY: all four are alive. The request keeps its own reference to the queue and copies topics and options, so that
    // freeing ours is sound also when we leave before the answer.
    unsafe {
        sys::rd_kafka_DescribeTopics(client, topics.as_ptr(), options.as_ptr(), queue.as_ptr());
    }
    // The answer, or the error that there is none, comes within the request's timeout; the rest is slack.
    // SAFETY: `queue` is alive; a polled event is ours to destroy.
    let event = unsafe {
        Owned::new(
            sys::rd_kafka_queue_poll(queue.as_ptr(), millis.saturating_add(1000)),
            sys::rd_kafka_event_destroy,
        )
    }
    .map_err(|_| KafkaError::AdminOp(RDKafkaErrorCode::OperationTimedOut))?;
    // SAFETY: `event` is alive.
    check(unsafe { sys::rd_kafka_event_error(event.as_ptr()) })?;
    // SAFETY: `event` is alive; the result is the event itself, or null where it is of another kind.
    let result = unsafe { sys::rd_kafka_event_DescribeTopics_result(event.as_ptr()) };
    if result.is_null() {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
    }
    let mut count = 0;
    // SAFETY: `result` is alive; `count` is written before the call returns.
    let described = unsafe { sys::rd_kafka_DescribeTopics_result_topics(result, &raw mut count) };
    if described.is_null() || count != names.len() {
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::BadMessage));
    }
    // One answer for each name asked, but in an order that is not promised.
    let mut answers = Vec::with_capacity(count);
    for at in 0..count {
        // SAFETY: `described` points to `count` topic descriptions, all alive as long as `event` is.
        answers.push(unsafe { read(*described.add(at)) }?);
    }
    let mut by_name = |name: &CString| {
        let at = answers
            .iter()
            .position(|(found, _)| found.as_bytes() == name.as_bytes())?;
        answers.swap_remove(at).1
    };
    Ok(names.iter().map(&mut by_name).collect())
}

/// Copies a description: its name, and the topic where there is one.
///
/// # Safety
/// `topic` must point to a topic description that is alive.
unsafe fn read(
    topic: *const sys::rd_kafka_TopicDescription_t,
) -> KafkaResult<(String, Option<Described>)> {
    // SAFETY: `topic` is alive by our own contract. What the accessors return belongs to it and is copied at once: a
    // NUL-terminated name, an error (code 0 for null), the partitions' count and the id.
    let (name, error, partitions, most, least) = unsafe {
        let name = CStr::from_ptr(sys::rd_kafka_TopicDescription_name(topic));
        let error = sys::rd_kafka_error_code(sys::rd_kafka_TopicDescription_error(topic));
        let mut partitions = 0;
        sys::rd_kafka_TopicDescription_partitions(topic, &raw mut partitions);
        let id = sys::rd_kafka_TopicDescription_topic_id(topic);
        (
            name.to_string_lossy().into_owned(),
            RDKafkaErrorCode::from(error),
            partitions,
            sys::rd_kafka_Uuid_most_significant_bits(id),
            sys::rd_kafka_Uuid_least_significant_bits(id),
        )
    };
    match error {
        RDKafkaErrorCode::NoError => {}
        RDKafkaErrorCode::UnknownTopicOrPartition
        | RDKafkaErrorCode::UnknownTopic
        | RDKafkaErrorCode::UnknownTopicId => return Ok((name, None)),
        other => return Err(KafkaError::AdminOp(other)),
    }
    let mut id = [0; 16];
    id[..8].copy_from_slice(&most.to_be_bytes());
    id[8..].copy_from_slice(&least.to_be_bytes());
    if id == [0; 16] {
        // Brokers before 2.8 know no ids.
        return Err(KafkaError::AdminOp(RDKafkaErrorCode::UnsupportedVersion));
    }
    let partitions = u32::try_from(partitions).unwrap_or(u32::MAX);
    let described = Described {
        name: name.clone(),
        id: TopicId(id),
        partitions,
    };
    Ok((name, Some(described)))
}

fn check(code: sys::rd_kafka_resp_err_t) -> KafkaResult<()> {
    match RDKafkaErrorCode::from(code) {
        RDKafkaErrorCode::NoError => Ok(()),
        code => Err(KafkaError::AdminOp(code)),
    }
}
