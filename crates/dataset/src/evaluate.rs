//! Many inputs, one output: a dataset that is decided from other datasets, again and again.
//!
//! An [`Application`] says which inputs it needs, and what the output holds for each key at an instant. What is hard about
//! that is the same for every application, and is done here once:
//!
//! * [`Evaluator`] runs cycles: it moves every input to one version, mints `now`, lets the application decide *everything*,
//!   publishes only what changed, tagged with its [`Basis`], and confirms where nothing did. With [`Follow`] it decides
//!   nothing but the outcome: inputs and `now` are those of another output.
//! * [`Past`] brings inputs and application to where they were for a version or an instant, by what the output's header tags
//!   say, and [`Replayer`] decides a version again: equal, or where it differs.
//!
//! Same input versions, same `now` and same application give an equal output; that is the application's promise, and replays
//! hold it to it. The liveness of titles is one application; `examples/evacuation` is another.

mod basis;
mod cycle;
mod difference;
mod follow;
mod inputs;
mod past;
mod replay;

use std::collections::BTreeMap;
use std::sync::Arc;

use hollow::write::WriteState;
use hollow::{Changes, ReadState, Schema};

use crate::{BoxError, SubscriberOptions, View};

pub use basis::{Basis, Followed, tag};
pub use cycle::{Evaluated, EvaluationPhases, Evaluator, EvaluatorOptions, Outcome};
pub use difference::Change;
pub use follow::Follow;
pub use inputs::{InputStatus, Inputs};
pub use past::{Past, When};
pub use replay::{Replayed, Replayer};

/// What the output holds for every key, by key.
pub type Outputs<A> = Vec<(<A as Application>::Key, <A as Application>::Output)>;

/// What an evaluation of every key came to, sorted by key.
pub enum Decided<A: Application> {
    /// What the output holds for every key.
    All(Outputs<A>),
    /// What the output holds for the keys where it may be something else than what was accepted last. There are no other keys
    /// than then.
    Changes(Outputs<A>),
}

/// What is decided, from which inputs. Pure: it does no IO, and reads no clock.
pub trait Application {
    /// What tells the output's records apart.
    type Key: Ord + Clone + Send + Sync;
    /// What the output holds for a key.
    type Output: Send + Sync + 'static;

    /// The inputs.
    fn inputs(&self) -> Vec<InputSpec>;

    /// The types of the output.
    fn schemas(&self) -> Vec<Schema>;

    /// The same application with nothing taken yet.
    ///
    /// # Errors
    /// Its own.
    fn fresh(&self) -> Result<Self, BoxError>
    where
        Self: Sized;

    /// Takes over what the inputs hold now, each of which comes as soon as it has moved, and in the order of
    /// [`inputs`](Self::inputs). Whoever looks meanwhile sees none or all of it. After an error the same inputs come again, from
    /// where they were.
    ///
    /// # Errors
    /// Its own, for an input that can't be read.
    fn take(&mut self, moves: impl Iterator<Item = Move>) -> Result<Taken, BoxError>
    where
        Self: Sized;

    /// Decides for every key at an instant; the result is sorted by key.
    ///
    /// # Errors
    /// Its own.
    fn evaluate(&mut self, now_ms: i64) -> Result<Outputs<Self>, BoxError>
    where
        Self: Sized;

    /// As [`evaluate`](Self::evaluate), where the output holds what was decided before and [settled](Self::settled) as accepted:
    /// an application that knows where that still is so need not say it again.
    ///
    /// # Errors
    /// Its own.
    fn reevaluate(&mut self, now_ms: i64) -> Result<Decided<Self>, BoxError>
    where
        Self: Sized,
    {
        self.evaluate(now_ms).map(Decided::All)
    }

    /// Whether two outputs of a key are one and the same record.
    fn is_equal(before: &Self::Output, after: &Self::Output) -> bool;

    /// Called with what the output holds otherwise than before, in the order of keys; for totals that follow the change.
    fn changed(&mut self, changes: &[Change<'_, Self::Output>]) {
        let _ = changes;
    }

    /// Called when it is known whether what changed is part of the output from now on.
    fn settled(&mut self, is_accepted: bool) {
        let _ = is_accepted;
    }

    /// Reads an output back, sorted by key.
    ///
    /// # Errors
    /// Its own, for a state that is no output of it.
    fn read(&self, state: &ReadState) -> Result<Outputs<Self>, BoxError>
    where
        Self: Sized;

    /// Writes what changed into a staged cycle. Equal changes must come to equal states with equal ordinals, so that a replay
    /// writes the same bytes: what is remembered from one cycle to the next may spare calls that add nothing, and no others.
    ///
    /// # Errors
    /// Those of writing.
    fn write<'a>(
        &mut self,
        write: &mut WriteState,
        removed: &[Self::Key],
        changed: impl Iterator<Item = &'a (Self::Key, Self::Output)>,
    ) -> Result<(), BoxError>
    where
        Self: 'a;

    /// What the outputs depend on besides inputs and instant, as header tags: rules, parameters, the revision of the code.
    fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }

    /// Decides from here on as a state with these tags was decided.
    ///
    /// # Errors
    /// Its own, for tags that it can't go by.
    fn adopt(&mut self, tags: &BTreeMap<String, String>) -> Result<(), BoxError> {
        let _ = tags;
        Ok(())
    }

    /// What to tell with the announcement of what was evaluated last: totals, no part of the state.
    fn metadata(&self) -> BTreeMap<String, String> {
        BTreeMap::new()
    }
}

/// An input of an application.
#[derive(Clone, Debug)]
pub struct InputSpec {
    /// The dataset's name, without an environment.
    pub name: &'static str,
    /// What to load of it.
    pub options: SubscriberOptions,
}

impl InputSpec {
    /// An input of which everything is loaded.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            options: SubscriberOptions::default(),
        }
    }
}

/// How an input came from what was taken last to what it holds now.
pub struct Move {
    /// The input's name.
    pub input: &'static str,
    /// What was taken last; `None`: nothing yet.
    pub before: Option<Arc<View>>,
    /// What it holds now.
    pub after: Arc<View>,
    /// The changes on the way, step by step; `None` where the way is not known.
    pub steps: Option<Vec<Changes>>,
}

/// What came of taking inputs over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// The records that were read.
    pub records: u64,
    /// How much of the time went into preparing the evaluation, in microseconds.
    pub prepare_us: u64,
}
