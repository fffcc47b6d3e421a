//! What the process's log is told of dead letters: one line a second at most, however many there are. An upstream that forgot
//! its schema makes thousands a second, and `D.dead` has them all; the log only has to say so.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::poison::Poison;

/// The time between two lines.
const EVERY: Duration = Duration::from_secs(1);

/// Dead letters that were not told of yet.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    told: Option<Instant>,
    counts: BTreeMap<&'static str, u64>,
    latest: Option<Latest>,
}

/// The latest letter, as an example.
#[derive(Debug)]
struct Latest {
    topic: String,
    partition: u32,
    offset: i64,
    reason: String,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// How many records became dead letters since the line before.
    pub(crate) letters: u64,
    /// How many for which kind of reason.
    pub(crate) reasons: String,
    /// The latest of them: its place and its reason in full.
    pub(crate) latest: String,
}

impl Notices {
    /// Takes note of a letter.
    pub(crate) fn add(&mut self, topic: &str, partition: u32, offset: i64, poison: &Poison) {
        *self.counts.entry(poison.kind()).or_default() += 1;
        let latest = self.latest.get_or_insert_with(|| Latest {
            topic: String::new(),
            partition: 0,
            offset: 0,
            reason: String::new(),
        });
        topic.clone_into(&mut latest.topic);
        (latest.partition, latest.offset) = (partition, offset);
        latest.reason = poison.to_string();
    }

    /// What to say now, if there is anything and enough time has passed since the last line.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Notice> {
        let is_early = |told: Instant| now.saturating_duration_since(told) < EVERY;
        if self.told.is_some_and(is_early) {
            return None;
        }
        let Latest {
            topic,
            partition,
            offset,
            reason,
        } = self.latest.take()?;
        self.told = Some(now);
        let counts = std::mem::take(&mut self.counts);
        let mut reasons: Vec<_> = counts.iter().collect();
        reasons.sort_by_key(|&(kind, count)| (std::cmp::Reverse(count), kind));
        let reasons: Vec<_> = reasons
            .iter()
            .map(|(kind, count)| format!("{kind}: {count}"))
            .collect();
        Some(Notice {
            letters: counts.values().sum(),
            reasons: reasons.join(", "),
            latest: format!("{topic} {partition}:{offset}: {reason}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_a_second_and_every_letter_is_in_one() {
        let start = Instant::now();
        let mut notices = Notices::default();
        let mut lines = Vec::new();
        // Three seconds of a letter each 100 µs.
        for letter in 0..30_000_u32 {
            let now = start + Duration::from_micros(100) * letter;
            let poison = match letter % 3 {
                0 => Poison::NoKey,
                _ => Poison::NotWireFormat,
            };
            notices.add("titles", letter % 4, i64::from(letter), &poison);
            lines.extend(notices.due(now));
        }
        // The last second is told of when the next cycle ends.
        assert_eq!(notices.due(start + Duration::from_millis(2_999)), None);
        lines.extend(notices.due(start + Duration::from_secs(9)));
        assert_eq!(notices.due(start + Duration::from_secs(99)), None);
        let counts: Vec<u64> = lines.iter().map(|line| line.letters).collect();
        assert_eq!(counts, [1, 10_000, 10_000, 9_999]);
        assert_eq!(lines[0].reasons, "no-key: 1");
        assert_eq!(lines[1].reasons, "not-wire-format: 6667, no-key: 3333");
        assert_eq!(
            lines[3].latest,
            format!("titles 3:29999: {}", Poison::NotWireFormat)
        );
    }
}
