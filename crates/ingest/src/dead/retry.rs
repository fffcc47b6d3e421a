//! Bringing dead letters back to where they came from, after what was wrong is mended: a schema was registered, a dataset's
//! configuration changed, a release reads what the one before could not.
//!
//! A record is appended again as it was, with its source version, and durable before its letter is marked as done. Killed
//! in between, it is appended again by the next retry, which changes nothing: of equal source versions the first counts. A
//! record that fails again becomes a new letter, since it has a new place in the topic.

use super::DeadLetter;
use crate::error::Result;
use crate::fold::Origin;
use crate::spec::{DatasetSpec, SourceVersions};
use changelog::{ChangeLog, NewRecord};

/// The header of a record that was a dead letter: the place it had, as `["titles",0,17]`.
pub const RETRY_OF_HEADER: &str = "gl-retry-of";
/// How often the record was brought back, this time included.
pub const RETRY_COUNT_HEADER: &str = "gl-retry-count";

/// What a retry did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Letters whose records are in their topics again.
    pub appended: Vec<DeadLetter>,
    /// Letters that are marked as done without that: the dataset has something newer of their keys.
    pub superseded: Vec<DeadLetter>,
    /// Letters that stay, with why.
    pub refused: Vec<(DeadLetter, String)>,
}

/// Brings `letters` back; `now_ms` is the time in milliseconds since 1970 UTC. `origin` tells which record made a key (in
/// its canonical form) what it is: a letter that is older is only marked as done, since compaction might otherwise keep it
/// in the place of the newer record.
///
/// # Errors
/// Those of the log. Letters dealt with until then are marked as done or will be met again.
pub fn retry_dead_letters(
    log: &dyn ChangeLog,
    spec: &DatasetSpec,
    letters: Vec<DeadLetter>,
    now_ms: i64,
    origin: &dyn Fn(&[u8]) -> Option<Origin>,
) -> Result<Retried> {
    /// Bytes and letters of one step.
    const BYTES: usize = 8 << 20;
    const LETTERS: usize = 1000;
    let mut retried = Retried::default();
    let mut step = Step::default();
    for letter in letters {
        match outcome(spec, &letter, origin) {
            Outcome::Refuse(reason) => retried.refused.push((letter, reason)),
            Outcome::Superseded => step.superseded.push(letter),
            Outcome::Append => {
                step.bytes += letter.value.as_ref().map_or(0, Vec::len);
                step.appended.push(letter);
            }
        }
        if step.bytes >= BYTES || step.appended.len() + step.superseded.len() >= LETTERS {
            step.take(log, spec, now_ms, &mut retried)?;
        }
    }
    step.take(log, spec, now_ms, &mut retried)?;
    Ok(retried)
}

enum Outcome {
    Append,
    Superseded,
    Refuse(String),
}

fn outcome(
    spec: &DatasetSpec,
    letter: &DeadLetter,
    origin: &dyn Fn(&[u8]) -> Option<Origin>,
) -> Outcome {
    if letter.topic != spec.topic && letter.topic != spec.sweep_topic() {
        return Outcome::Refuse(format!(
            "it came from {}, which is no topic of the dataset any more",
            letter.topic
        ));
    }
    if let Some(bytes) = letter.cut_from {
        return Outcome::Refuse(format!(
            "only a part of its {bytes} bytes was kept; emit the record again at its source"
        ));
    }
    if letter.key.is_none() {
        return Outcome::Refuse("it has no key; emit the record again at its source".to_owned());
    }
    if spec.source_versions == SourceVersions::None {
        return Outcome::Refuse(
            "the dataset has no source versions, so the record would undo what came after it; emit it again at its source"
                .to_owned(),
        );
    }
    let key = letter.canonical_key(spec.model.key());
    let stored = key.and_then(|key| origin(&key));
    match (
        letter.source_version(),
        stored.and_then(|origin| origin.source_version),
    ) {
        (Some(ours), Some(stored)) if ours < stored => Outcome::Superseded,
        _ => Outcome::Append,
    }
}

#[derive(Default)]
struct Step {
    appended: Vec<DeadLetter>,
    superseded: Vec<DeadLetter>,
    bytes: usize,
}

impl Step {
    fn take(
        &mut self,
        log: &dyn ChangeLog,
        spec: &DatasetSpec,
        now_ms: i64,
        retried: &mut Retried,
    ) -> Result<()> {
        let step = std::mem::take(self);
        for topic in [spec.topic.clone(), spec.sweep_topic()] {
            let of_topic = step.appended.iter().filter(|letter| letter.topic == topic);
            let partitions = log.topic(&topic)?.map_or(0, |topic| topic.partitions);
            let records: Vec<_> = of_topic
                .map(|letter| record_again(letter, partitions))
                .collect();
            if !records.is_empty() {
                log.append(&topic, &records)?;
            }
        }
        let done: Vec<_> = step
            .appended
            .iter()
            .chain(&step.superseded)
            .map(|letter| NewRecord::tombstone(now_ms, letter.place()))
            .collect();
        if !done.is_empty() {
            log.append(&spec.dead_topic(), &done)?;
        }
        retried.appended.extend(step.appended);
        retried.superseded.extend(step.superseded);
        Ok(())
    }
}

/// The record as it was, for the partition it was in.
fn record_again(letter: &DeadLetter, partitions: u32) -> NewRecord {
    let ours = |name: &str| name == RETRY_OF_HEADER || name == RETRY_COUNT_HEADER;
    let count = letter
        .headers
        .iter()
        .rfind(|(name, _)| name == RETRY_COUNT_HEADER);
    let count = count.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    let count: u32 = count.unwrap_or(0);
    let mut headers = letter.headers.clone();
    headers.retain(|(name, _)| !ours(name));
    headers.push((RETRY_OF_HEADER.to_owned(), letter.place().into_bytes()));
    headers.push((
        RETRY_COUNT_HEADER.to_owned(),
        count.saturating_add(1).to_string().into_bytes(),
    ));
    NewRecord {
        partition: (letter.partition < partitions).then_some(letter.partition),
        timestamp_ms: letter.timestamp_ms,
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers,
    }
}
