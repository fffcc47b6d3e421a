//! Publisher and subscriber of one dataset, and the evaluation of one from others.
//!
//! A dataset has one producer and any number of readers, and they meet only in a blob store (what the states are) and in
//! the registry (which of them count). This crate is the discipline between the two:
//!
//! * [`Publisher`] turns the changes of a cycle into the next version: populate, stage, verify, guard, accept, promote,
//!   announce, snapshot. Whatever dies in between, a reader sees the version before or the version after, and a new
//!   publisher goes on with the same chain.
//! * [`Standby`] waits until the producer of a dataset is silent, and then it is its turn.
//! * [`Subscriber`] holds one version in memory, whole, and swaps it for the next atomically: along deltas, back along
//!   reverse deltas, by snapshot across a chain break. Key indexes are kept up with it.
//! * [`evaluate`] decides one dataset from others, cycle by cycle, and again: following, past instants, replays.
//!
//! What the records mean is the business of those who call: changes come in through a closure over a
//! [`WriteState`](hollow::write::WriteState), and time is always an argument.

mod announcement;
mod chain;
mod error;
pub mod evaluate;
mod names;
mod ownership;
mod priority;
mod publish;
mod step;
mod subscribe;
mod tags;

pub use announcement::project_announcement;
pub use chain::load_state;
pub use error::{BoxError, Error, Result};
pub use names::{
    ANNOUNCED_NAME, blob_key, candidate_prefix, delta_name, reverse_delta_name, snapshot_name,
    versions_in_snapshot_names,
};
pub use ownership::{RENEW_EVERY, SILENCE, Standby, Turn};
pub use priority::lower_priority;
pub use publish::{
    Candidate, Cycle, CycleKind, CycleOutcome, Guard, Phases, Populated, Publisher,
    PublisherOptions, Snapshots, Veto,
};
pub use registry::{DatasetName, Scope, Version};
pub use step::{Abort, Step, StepHook};
pub use subscribe::{Moved, Subscriber, SubscriberOptions, View};
pub use tags::{random_tag, tag};
