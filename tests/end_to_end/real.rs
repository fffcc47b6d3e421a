//! The same end-to-end tests on Kafka and S3.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod commands;
mod compose;
mod crash;
mod outage;
#[allow(dead_code, reason = "the embedded target uses the rest")]
mod role;
mod same_result;
mod scenario;
#[allow(dead_code, reason = "the embedded target uses the rest")]
mod support;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use support::Servers;
use tests_servers::{Kafka, SeaweedFs};

/// The back end of this target: a Kafka of its own for each demo, since a cluster holds one deployment, and a bucket of its
/// own on one S3 server.
fn servers() -> Option<Servers> {
    static S3: OnceLock<SeaweedFs> = OnceLock::new();
    static BUCKETS: AtomicU32 = AtomicU32::new(0);
    let s3 = S3.get_or_init(|| SeaweedFs::start().unwrap());
    let number = BUCKETS.fetch_add(1, Ordering::Relaxed);
    Some(Servers {
        kafka: Kafka::start().unwrap(),
        bucket: format!("{}/demo-{number}", s3.endpoint()),
    })
}
