//! What differs between two outputs: what to write, and what to remove.

use std::cmp::Ordering;

use rayon::prelude::*;

use super::{Application, Decided, Outputs};

/// What the output holds of a key before and after a cycle; not both are `None`.
pub struct Change<'a, O> {
    /// The record that it held.
    pub before: Option<&'a O>,
    /// The record that it holds from the cycle on.
    pub after: Option<&'a O>,
}

impl<'a, O> Change<'a, O> {
    fn of(before: Option<&'a O>, after: Option<&'a O>) -> Self {
        Self { before, after }
    }
}

/// What to bring an output to another with.
pub(super) struct Difference<K> {
    /// The places, in what was decided, of what is new or other.
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

impl<A: Application> Decided<A> {
    /// What there is to write of it.
    pub(super) fn outputs(&self) -> &Outputs<A> {
        match self {
            Self::All(outputs) | Self::Changes(outputs) => outputs,
        }
    }

    /// Compares it with the output before, and shows the application what differs.
    pub(super) fn compare(&self, application: &mut A, before: &Outputs<A>) -> Difference<A::Key> {
        match self {
            Self::All(after) => compare(application, before, after),
            Self::Changes(some) => compare_some(application, before, some),
        }
    }

    /// Makes it the output.
    pub(super) fn take_over(self, outputs: &mut Outputs<A>) {
        match self {
            Self::All(all) => *outputs = all,
            Self::Changes(some) => {
                let mut from = 0;
                let mut replaced = Vec::with_capacity(some.len());
                for (key, output) in some {
                    from = match find(outputs, from, &key) {
                        Ok(at) => {
                            replaced.push(std::mem::replace(&mut outputs[at].1, output));
                            at + 1
                        }
                        Err(at) => {
                            outputs.insert(at, (key, output));
                            at + 1
                        }
                    };
                }
                // Nobody waits for what outputs that nothing holds any more have to give back.
                rayon::spawn(move || drop(replaced));
            }
        }
    }
}

/// Compares two outputs, both sorted by key, and shows the application what differs.
pub(super) fn compare<A: Application>(
    application: &mut A,
    before: &Outputs<A>,
    after: &Outputs<A>,
) -> Difference<A::Key> {
    let mut difference = Difference {
        changed: Vec::new(),
        removed: Vec::new(),
    };
    let mut changes = Vec::new();
    let mut old = before.iter().peekable();
    for (at, (key, output)) in after.iter().enumerate() {
        while let Some((gone, before)) = old.next_if(|(other, _)| other < key) {
            difference.removed.push(gone.clone());
            changes.push(Change::of(Some(before), None));
        }
        let before = old.next_if(|(other, _)| other.cmp(key) == Ordering::Equal);
        let before = before.map(|(_, before)| before);
        if !before.is_some_and(|before| A::is_equal(before, output)) {
            difference.changed.push(at);
            changes.push(Change::of(before, Some(output)));
        }
    }
    for (gone, before) in old {
        difference.removed.push(gone.clone());
        changes.push(Change::of(Some(before), None));
    }
    application.changed(&changes);
    difference
}

/// How many outputs one task compares.
const TOGETHER: usize = 1024;

/// The same for the outputs of some keys; costs by these.
fn compare_some<A: Application>(
    application: &mut A,
    before: &Outputs<A>,
    some: &Outputs<A>,
) -> Difference<A::Key> {
    let chunks = some.par_chunks(TOGETHER).enumerate();
    let chunks = chunks.flat_map_iter(|(number, some)| {
        let changes = changes_of::<A>(before, some).into_iter();
        changes.map(move |(at, change)| (number * TOGETHER + at, change))
    });
    let (changed, changes): (Vec<usize>, Vec<Change<'_, A::Output>>) = chunks.unzip();
    application.changed(&changes);
    Difference {
        changed,
        removed: Vec::new(),
    }
}

/// The places in `some` at which it has something else than `before`.
fn changes_of<'a, A: Application>(
    before: &'a Outputs<A>,
    some: &'a [(A::Key, A::Output)],
) -> Vec<(usize, Change<'a, A::Output>)> {
    let first = some.first().map(|(key, _)| key);
    let mut from = before.partition_point(|(key, _)| Some(key) < first);
    let mut changes = Vec::new();
    for (at, (key, output)) in some.iter().enumerate() {
        let found = find(before, from, key);
        let (Ok(place) | Err(place)) = found;
        from = place;
        let before = found.ok().map(|place| &before[place].1);
        if !before.is_some_and(|before| A::is_equal(before, output)) {
            changes.push((at, Change::of(before, Some(output))));
        }
    }
    changes
}

/// The place of a key, or where it belongs, in outputs sorted by key, if it is not before `from`; cheap where it is near.
fn find<K: Ord, O>(outputs: &[(K, O)], from: usize, key: &K) -> Result<usize, usize> {
    let rest = &outputs[from..];
    let mut end = 1;
    while rest.get(end).is_some_and(|(other, _)| other < key) {
        end *= 2;
    }
    let start = end / 2;
    let end = rest.len().min(end + 1);
    let found = rest[start.min(end)..end].binary_search_by(|(other, _)| other.cmp(key));
    let place = |at: usize| from + start.min(end) + at;
    found.map(place).map_err(place)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_key_is_found_as_by_binary_search(keys in proptest::collection::btree_set(0_u32..60, 0..30), key in 0_u32..60, from in 0_usize..30) {
            let outputs: Vec<(u32, ())> = keys.into_iter().map(|key| (key, ())).collect();
            let place = outputs.binary_search_by(|(other, ())| other.cmp(&key));
            let (Ok(at) | Err(at)) = place;
            prop_assert_eq!(find(&outputs, from.min(at), &key), place);
        }
    }
}
