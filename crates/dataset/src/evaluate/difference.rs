//! What differs between two outputs: what to write, and what to remove.

use std::cmp::Ordering;

use super::{Application, Outputs};

/// What to bring an output to another with.
pub(super) struct Difference<K> {
    /// The places of what is new or other.
    pub(super) changed: Vec<usize>,
    /// The keys that are gone.
    pub(super) removed: Vec<K>,
}

impl<K> Difference<K> {
    /// How many records differ.
    pub(super) fn len(&self) -> usize {
        self.changed.len() + self.removed.len()
    }
}

/// Compares two outputs, both sorted by key, and shows the application what differs. What is equal becomes the same in memory.
pub(super) fn compare<A: Application>(
    application: &mut A,
    before: &Outputs<A>,
    after: &mut Outputs<A>,
) -> Difference<A::Key> {
    let mut difference = Difference {
        changed: Vec::new(),
        removed: Vec::new(),
    };
    let mut old = before.iter().peekable();
    for (at, (key, output)) in after.iter_mut().enumerate() {
        while let Some((gone, before)) = old.next_if(|(other, _)| other < key) {
            difference.removed.push(gone.clone());
            application.changed(Some(before), None);
        }
        let before = old.next_if(|(other, _)| other.cmp(key) == Ordering::Equal);
        let before = before.map(|(_, before)| before);
        match before {
            Some(before) if A::is_equal(before, output) => *output = before.clone(),
            before => {
                difference.changed.push(at);
                application.changed(before, Some(output));
            }
        }
    }
    for (gone, before) in old {
        difference.removed.push(gone.clone());
        application.changed(Some(before), None);
    }
    difference
}
