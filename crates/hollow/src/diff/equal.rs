//! Whether two records are equal, with all that they refer to.
//!
//! Equal records must cost little, since across chains nearly all are: fields are compared where they lie, shared records
//! of which the partner is known are passed over, and nothing is hashed but what sets and maps are paired by.

use super::classes::Paired;
use super::compare::{Comparison, Records};
use super::hashed::Shortcut;
use super::marks;
use super::plan::{FieldPair, Kind};
use crate::Ordinal;
use crate::error::Result;
use crate::read::{ObjectView, Raw, SetView, TypeState};

/// So many are compared one by one before they are hashed.
const FEW: usize = 4;
/// So many of which something is known are. Most find their partner at once, since lists differ in little.
const MANY: usize = 64;

impl Comparison<'_, '_> {
    /// Whether two records are equal.
    pub(super) fn equal(&mut self, records: Records) -> Result<bool> {
        let plan = self.plan;
        let types = &plan.types[records.of];
        if let Some(equal) = types.known(records.old, records.new) {
            return Ok(equal);
        }
        self.descend(records)?;
        let equal = self.equal_below(records)?;
        self.depth -= 1;
        if equal {
            types.remember(records.old, records.new);
        }
        Ok(equal)
    }

    fn equal_below(&mut self, Records { of, old, new }: Records) -> Result<bool> {
        let plan = self.plan;
        let types = &plan.types[of];
        let exists = |state: Option<&TypeState>, ordinal: Ordinal| {
            state.is_some_and(|state| state.is_populated(ordinal))
        };
        let neither = |_: ()| !exists(types.old, old) && !exists(types.new, new);
        let (Some(old_type), Some(new_type)) = (types.old, types.new) else {
            return Ok(neither(()));
        };
        match &types.kind {
            Kind::Object(fields) => match (old_type.object(old), new_type.object(new)) {
                (Some(a), Some(b)) => self.equal_objects(fields, &a, &b),
                _ => Ok(neither(())),
            },
            Kind::List(element) => {
                match (old_type.list(old), new_type.list(new)) {
                    (Some(a), Some(b)) => Ok(a.len() == b.len()
                        && self.equal_elements(*element, a.iter().zip(b.iter()))?),
                    _ => Ok(neither(())),
                }
            }
            Kind::Set(element) => match (old_type.set(old), new_type.set(new)) {
                (Some(a), Some(b)) if a.len() == b.len() => {
                    if let Shortcut::Few(_) = types.shortcut {
                        return self.classes.equal(of, old, new);
                    }
                    let paired =
                        self.with_elements(a, b, |this, a, b| this.pair(*element, a, b))?;
                    Ok(paired.removed.is_empty() && paired.added.is_empty())
                }
                (Some(_), Some(_)) => Ok(false),
                _ => Ok(neither(())),
            },
            Kind::Map(key, value) => match (old_type.map(old), new_type.map(new)) {
                (Some(a), Some(b)) if a.len() == b.len() => {
                    let (a_keys, a_values): (Vec<_>, Vec<_>) = a.iter().unzip();
                    let (b_keys, b_values): (Vec<_>, Vec<_>) = b.iter().unzip();
                    let paired = self.pair(*key, &a_keys, &b_keys)?;
                    if !paired.removed.is_empty() || !paired.added.is_empty() {
                        return Ok(false);
                    }
                    let values = paired.both.iter().map(|&(a, b)| (a_values[a], b_values[b]));
                    self.equal_elements(*value, values)
                }
                (Some(_), Some(_)) => Ok(false),
                _ => Ok(neither(())),
            },
            Kind::Whole => Ok(neither(())),
        }
    }

    /// Hands on the elements of two sets.
    pub(super) fn with_elements<T>(
        &mut self,
        old: SetView<'_>,
        new: SetView<'_>,
        then: impl FnOnce(&mut Self, &[Ordinal], &[Ordinal]) -> Result<T>,
    ) -> Result<T> {
        let [mut a, mut b] = std::mem::take(&mut self.elements);
        a.clear();
        b.clear();
        old.append_to(&mut a);
        new.append_to(&mut b);
        let outcome = then(self, &a, &b);
        self.elements = [a, b];
        outcome
    }

    /// Whether all of them are compared with all before they are put in classes.
    pub(super) fn are_few(&self, of: usize, old: &[Ordinal], new: &[Ordinal]) -> bool {
        let few = match self.plan.types[of].shortcut {
            Shortcut::None => FEW,
            _ => MANY,
        };
        old.len() <= few && new.len() <= few
    }

    /// Pairs equal records of a type, the first of equal ones with the first. Where they are few, nothing is hashed.
    pub(super) fn pair(&mut self, of: usize, old: &[Ordinal], new: &[Ordinal]) -> Result<Paired> {
        if !self.are_few(of, old, new) {
            return self.classes.pair(of, old, new);
        }
        let mut paired = Paired::default();
        let mut taken = [false; MANY];
        let mut first = 0;
        // What comes before the first difference has its partner at the same place.
        while let (Some(&old), Some(&new)) = (old.get(first), new.get(first))
            && self.equal(Records { of, old, new })?
        {
            taken[first] = true;
            paired.both.push((first, first));
            first += 1;
        }
        let plan = self.plan;
        let mut marks = [0; MANY];
        for (mark, &old) in marks.iter_mut().zip(old).skip(first) {
            *mark = marks::mark(plan, of, old, false);
        }
        'new: for (position, &new) in new.iter().enumerate().skip(first) {
            while first < old.len() && taken[first] {
                first += 1;
            }
            let mark = marks::mark(plan, of, new, true);
            for (partner, &old) in old.iter().enumerate().skip(first) {
                let may_be = !taken[partner] && marks[partner] == mark;
                if may_be && self.equal(Records { of, old, new })? {
                    taken[partner] = true;
                    paired.both.push((partner, position));
                    continue 'new;
                }
            }
            paired.added.push(position);
        }
        let alone = (0..old.len()).filter(|&position| !taken[position]);
        paired.removed.extend(alone);
        Ok(paired)
    }

    pub(super) fn equal_elements(
        &mut self,
        of: usize,
        pairs: impl Iterator<Item = (Ordinal, Ordinal)>,
    ) -> Result<bool> {
        for (old, new) in pairs {
            if !self.equal(Records { of, old, new })? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn equal_objects(
        &mut self,
        fields: &[FieldPair],
        old: &ObjectView<'_>,
        new: &ObjectView<'_>,
    ) -> Result<bool> {
        // What takes no look at other records first.
        for field in fields.iter().filter(|field| field.child.is_none()) {
            if raw(field.old, old) != raw(field.new, new) {
                return Ok(false);
            }
        }
        for field in fields {
            let Some(of) = field.child else {
                continue;
            };
            let both = (reference(field.old, old), reference(field.new, new));
            let equal = match both {
                (Some(old), Some(new)) => self.equal(Records { of, old, new })?,
                (old, new) => old == new,
            };
            if !equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The value of a field that a record may not have. One of both: a pair would go through memory.
#[inline]
pub(super) fn raw<'a>(position: Option<usize>, view: &ObjectView<'a>) -> Raw<'a> {
    match position {
        Some(position) => view.raw(position),
        None => Raw::Null,
    }
}

/// The same of a reference.
#[inline]
pub(super) fn reference(position: Option<usize>, view: &ObjectView<'_>) -> Option<Ordinal> {
    view.reference(position?)
}
