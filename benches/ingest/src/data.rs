//! Change records of `rights`: two windows in some countries per video, about 150 bytes, in the registry wire format.

use changelog::NewRecord;
use ingest::{SOURCE_VERSION_HEADER, write_wire_header};

/// Records of a key space. The same arguments give the same record.
#[derive(Clone, Copy, Debug)]
pub struct Records {
    /// Videos are numbered from 0.
    pub keys: u64,
    /// The id of the schema `rights`.
    pub schema_id: u32,
}

const COUNTRIES: &[&str] = &[
    "US", "DE", "FR", "GB", "JP", "BR", "MX", "IT", "ES", "NL", "SE", "PL", "IN", "KR", "AU", "CA",
];

impl Records {
    /// The record of a video in its `edition`-th content, as of `source_version`.
    #[must_use]
    pub fn record(&self, video: u64, edition: u64, source_version: u64) -> NewRecord {
        let mut value = Vec::with_capacity(160);
        write_wire_header(self.schema_id, &mut value);
        long(video, &mut value);
        long(2, &mut value);
        for window in 0..2 {
            let draw = mix(video * 2 + window);
            text(&format!("contract-{}", draw % 5_000), &mut value);
            let start = 1_500_000_000_000 + draw % 100_000_000 + window * 200_000_000;
            long(start, &mut value);
            long(1, &mut value);
            long(start + 150_000_000 + edition, &mut value);
            let countries = 4 + draw % 8;
            long(countries, &mut value);
            for at in 0..countries {
                let country = COUNTRIES[usize::try_from((draw + at) % 16).unwrap_or(0)];
                text(country, &mut value);
            }
            // The end of the countries, all languages, and how far it is to be trusted.
            value.extend_from_slice(&[0, 0, 0]);
        }
        value.push(0);
        NewRecord::new(
            i64::try_from(source_version).unwrap_or(0),
            format!("[{video}]"),
            value,
        )
        .with_header(SOURCE_VERSION_HEADER, source_version.to_string())
    }

    /// The `i`-th record after each key has had one: every tenth changes something, the others say what is known. Videos
    /// that change are others than those that don't.
    #[must_use]
    pub fn update(&self, i: u64) -> NewRecord {
        let video = mix(i) % self.keys;
        let video = video - video % 10;
        if i.is_multiple_of(10) {
            self.record(video, i + 1, i + 2)
        } else {
            self.record(video + i % 10, 0, i + 2)
        }
    }
}

/// Avro's encoding of a long that is not negative.
fn long(value: u64, out: &mut Vec<u8>) {
    let mut rest = value << 1;
    while rest >= 0x80 {
        out.push(u8::try_from(rest & 0x7f).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    out.push(u8::try_from(rest).unwrap_or(0));
}

fn text(value: &str, out: &mut Vec<u8>) {
    long(value.len() as u64, out);
    out.extend_from_slice(value.as_bytes());
}

/// splitmix64's mixer: a draw per number.
#[must_use]
pub fn mix(i: u64) -> u64 {
    let mut z = i.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
