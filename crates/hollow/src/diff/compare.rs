//! Two records compared, with all that they refer to.

use super::FieldChange;
use super::pairing::by_mark;
use crate::Ordinal;
use crate::content::{RecordView, record};
use crate::error::{Error, Result};
use crate::index::BoundKey;
use crate::read::{ObjectView, Raw, ReadState, TypeState};
use crate::schema::ObjectSchema;
use crate::sums::{ContentHashes, MAX_DEPTH};
use crate::value::Value;
use hashbrown::HashMap;
use std::fmt::Write;
use std::sync::Arc;

/// Compares records of two states. What is referred to from many records is hashed once.
pub(super) struct Comparison<'s> {
    before: &'s ReadState,
    after: &'s ReadState,
    old: ContentHashes<'s>,
    new: ContentHashes<'s>,
    /// Per element type with a primary key in both states: that key, bound to each.
    keys: HashMap<String, Option<Arc<(BoundKey, BoundKey)>>>,
    path: String,
    /// The path of the last difference, for the next one that lies at the same.
    last_path: Arc<str>,
    /// Records that were read for a difference, of the first and of the second state, by type and ordinal.
    values: [HashMap<(usize, Ordinal), Arc<Value>>; 2],
    null: Arc<Value>,
    depth: usize,
    found: Vec<FieldChange>,
}

impl<'s> Comparison<'s> {
    pub(super) fn new(before: &'s ReadState, after: &'s ReadState) -> Self {
        Self {
            before,
            after,
            old: ContentHashes::new(before),
            new: ContentHashes::new(after),
            keys: HashMap::new(),
            path: String::new(),
            last_path: Arc::from(""),
            values: [HashMap::new(), HashMap::new()],
            null: Arc::new(Value::Null),
            depth: 0,
            found: Vec::new(),
        }
    }

    /// Another one for the same states, which has what was prepared and can be used by another thread.
    pub(super) fn fork(&self) -> Self {
        Self {
            old: self.old.fork(),
            new: self.new.fork(),
            ..Self::new(self.before, self.after)
        }
    }

    /// Hashes everything that records refer to, at once.
    pub(super) fn prepare(&mut self) {
        self.old.prepare(None);
        self.new.prepare(None);
    }

    /// What differs between two records of a type.
    pub(super) fn records(
        &mut self,
        type_name: &str,
        old: Ordinal,
        new: Ordinal,
    ) -> Result<Vec<FieldChange>> {
        self.path.clear();
        self.depth = 0;
        self.compare(type_name, old, new)?;
        Ok(std::mem::take(&mut self.found))
    }

    fn old_hash(&mut self, type_name: &str, ordinal: Ordinal) -> Result<Option<u128>> {
        match self.old.type_index(type_name) {
            Some(index) => self.old.hash(index, ordinal),
            None => Ok(None),
        }
    }

    fn new_hash(&mut self, type_name: &str, ordinal: Ordinal) -> Result<Option<u128>> {
        match self.new.type_index(type_name) {
            Some(index) => self.new.hash(index, ordinal),
            None => Ok(None),
        }
    }

    fn push(&mut self, before: Value, after: Value) {
        self.push_shared(Arc::new(before), Arc::new(after));
    }

    fn push_shared(&mut self, before: Arc<Value>, after: Arc<Value>) {
        if *self.last_path != *self.path {
            self.last_path = Arc::from(self.path.as_str());
        }
        self.found.push(FieldChange {
            path: Arc::clone(&self.last_path),
            before,
            after,
        });
    }

    /// A whole record that only one state has at this place; null for none.
    fn shared_value(
        &mut self,
        is_new: bool,
        type_name: &str,
        ordinal: Option<Ordinal>,
    ) -> Result<Arc<Value>> {
        let hashes = if is_new { &self.new } else { &self.old };
        let (Some(ordinal), Some(index)) = (ordinal, hashes.type_index(type_name)) else {
            return Ok(Arc::clone(&self.null));
        };
        if let Some(value) = self.values[usize::from(is_new)].get(&(index, ordinal)) {
            return Ok(Arc::clone(value));
        }
        let value = Arc::new(if is_new {
            self.new_value(type_name, ordinal)?
        } else {
            self.old_value(type_name, ordinal)?
        });
        self.values[usize::from(is_new)].insert((index, ordinal), Arc::clone(&value));
        Ok(value)
    }

    fn old_value(&self, type_name: &str, ordinal: Ordinal) -> Result<Value> {
        Ok(Value::read(self.before, type_name, ordinal)?.unwrap_or(Value::Null))
    }

    fn new_value(&self, type_name: &str, ordinal: Ordinal) -> Result<Value> {
        Ok(Value::read(self.after, type_name, ordinal)?.unwrap_or(Value::Null))
    }

    /// Calls `then` with `segment` added to the path.
    fn below(&mut self, segment: &str, then: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let length = self.path.len();
        if length > 0 && !segment.starts_with('[') {
            self.path.push('.');
        }
        self.path.push_str(segment);
        self.depth += 1;
        let outcome = then(self);
        self.depth -= 1;
        self.path.truncate(length);
        outcome
    }

    /// Compares two records of which one or the other may be missing.
    fn referred(
        &mut self,
        type_name: &str,
        old: Option<Ordinal>,
        new: Option<Ordinal>,
    ) -> Result<()> {
        match (old, new) {
            (None, None) => Ok(()),
            (Some(old), Some(new)) => {
                if self.old_hash(type_name, old)? == self.new_hash(type_name, new)? {
                    return Ok(());
                }
                self.compare(type_name, old, new)
            }
            (old, new) => {
                let before = self.shared_value(false, type_name, old)?;
                let after = self.shared_value(true, type_name, new)?;
                self.push_shared(before, after);
                Ok(())
            }
        }
    }

    fn compare(&mut self, type_name: &str, old: Ordinal, new: Ordinal) -> Result<()> {
        if self.depth > MAX_DEPTH {
            return Err(Error::TooDeep {
                type_name: type_name.to_owned(),
                ordinal: new,
            });
        }
        let (before, after) = (self.before, self.after);
        let (Some(old_records), Some(new_records)) =
            (before.type_state(type_name), after.type_state(type_name))
        else {
            let (old, new) = (
                self.old_value(type_name, old)?,
                self.new_value(type_name, new)?,
            );
            self.push(old, new);
            return Ok(());
        };
        match (record(old_records, old), record(new_records, new)) {
            (Some(RecordView::Object(old)), Some(RecordView::Object(new))) => {
                self.objects(&old, &new)
            }
            (Some(RecordView::List(a)), Some(RecordView::List(b))) => {
                let whole = (old, new);
                let (old, new): (Vec<Ordinal>, Vec<Ordinal>) =
                    (a.iter().collect(), b.iter().collect());
                self.elements(type_name, old_records, &old, &new, Some(whole))
            }
            (Some(RecordView::Set(a)), Some(RecordView::Set(b))) => {
                let (old, new): (Vec<Ordinal>, Vec<Ordinal>) =
                    (a.iter().collect(), b.iter().collect());
                self.elements(type_name, old_records, &old, &new, None)
            }
            (Some(RecordView::Map(a)), Some(RecordView::Map(b))) => {
                let (old, new): (Vec<_>, Vec<_>) = (a.iter().collect(), b.iter().collect());
                self.entries(new_records, &old, &new)
            }
            _ => {
                let (old, new) = (
                    self.old_value(type_name, old)?,
                    self.new_value(type_name, new)?,
                );
                self.push(old, new);
                Ok(())
            }
        }
    }

    fn objects(&mut self, old: &ObjectView<'s>, new: &ObjectView<'s>) -> Result<()> {
        let (old_schema, new_schema) = (old.schema(), new.schema());
        let same = std::ptr::eq(old_schema, new_schema) || old_schema == new_schema;
        for (position, field) in new_schema.fields.iter().enumerate() {
            let partner = if same {
                Some(position)
            } else {
                partner(old_schema, new_schema, position)
            };
            let Some(old_position) = partner else {
                if new.raw(position) != Raw::Null {
                    let after = Value::of_field(self.after, new, position)?;
                    self.below(&field.name, |this| {
                        this.push(Value::Null, after);
                        Ok(())
                    })?;
                }
                continue;
            };
            let (a, b) = (old.raw(old_position), new.raw(position));
            match &field.referenced_type {
                Some(type_name) => {
                    let ordinal = |raw: Raw<'_>| match raw {
                        Raw::Fixed(ordinal) => Some(ordinal as Ordinal),
                        _ => None,
                    };
                    let (a, b) = (ordinal(a), ordinal(b));
                    if let (Some(a), Some(b)) = (a, b) {
                        // Nothing is put together for the many fields that do not differ.
                        if self.old_hash(type_name, a)? == self.new_hash(type_name, b)? {
                            continue;
                        }
                    }
                    self.below(&field.name, |this| this.referred(type_name, a, b))?;
                }
                None if a == b => {}
                None => {
                    let before = Value::of_field(self.before, old, old_position)?;
                    let after = Value::of_field(self.after, new, position)?;
                    self.below(&field.name, |this| {
                        this.push(before, after);
                        Ok(())
                    })?;
                }
            }
        }
        if same {
            return Ok(());
        }
        for (position, field) in old_schema.fields.iter().enumerate() {
            if partner(new_schema, old_schema, position).is_none() && old.raw(position) != Raw::Null
            {
                let before = Value::of_field(self.before, old, position)?;
                self.below(&field.name, |this| {
                    this.push(before, Value::Null);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }

    /// Elements of lists (with the lists' ordinals) or of sets.
    fn elements(
        &mut self,
        type_name: &str,
        records: &TypeState,
        old: &[Ordinal],
        new: &[Ordinal],
        lists: Option<(Ordinal, Ordinal)>,
    ) -> Result<()> {
        let Some(element_type) = records
            .schema()
            .dependencies()
            .first()
            .map(|name| (*name).to_owned())
        else {
            return Ok(());
        };
        let old_marks = self.old_marks(&element_type, old)?;
        let new_marks = self.new_marks(&element_type, new)?;
        let (equal, removed, added) = by_mark(old_marks.into_iter(), new_marks.into_iter());
        if removed.is_empty() && added.is_empty() {
            if let (Some((a, b)), false) = (lists, equal.is_sorted()) {
                let (before, after) =
                    (self.old_value(type_name, a)?, self.new_value(type_name, b)?);
                self.push(before, after);
            }
            return Ok(());
        }
        let key = self.key_of(&element_type);
        let (changed, removed, added) = match (&key, lists) {
            (Some(key), _) => by_mark(
                removed
                    .into_iter()
                    .map(|at| (at, Some(key_mark(&key.0, old[at])))),
                added
                    .into_iter()
                    .map(|at| (at, Some(key_mark(&key.1, new[at])))),
            ),
            (None, Some(_)) => {
                // What has no key is paired in the order of the lists.
                let paired = removed.len().min(added.len());
                let changed = removed.iter().copied().zip(added.iter().copied()).collect();
                (
                    changed,
                    removed[paired..].to_vec(),
                    added[paired..].to_vec(),
                )
            }
            (None, None) => (Vec::new(), removed, added),
        };
        let segment = |key: Option<&BoundKey>, ordinal: Ordinal, at: usize| match key {
            Some(key) => key_segment(key, ordinal),
            None if lists.is_some() => format!("[{at}]"),
            None => "[]".to_owned(),
        };
        for (a, b) in changed {
            let segment = segment(key.as_deref().map(|key| &key.1), new[b], b);
            self.below(&segment, |this| {
                this.referred(&element_type, Some(old[a]), Some(new[b]))
            })?;
        }
        for at in removed {
            let segment = segment(key.as_deref().map(|key| &key.0), old[at], at);
            self.below(&segment, |this| {
                this.referred(&element_type, Some(old[at]), None)
            })?;
        }
        for at in added {
            let segment = segment(key.as_deref().map(|key| &key.1), new[at], at);
            self.below(&segment, |this| {
                this.referred(&element_type, None, Some(new[at]))
            })?;
        }
        Ok(())
    }

    fn entries(
        &mut self,
        records: &TypeState,
        old: &[(Ordinal, Ordinal)],
        new: &[(Ordinal, Ordinal)],
    ) -> Result<()> {
        let dependencies = records.schema().dependencies();
        let [key_type, value_type] = dependencies.as_slice() else {
            return Ok(());
        };
        let old_keys: Vec<Ordinal> = old.iter().map(|entry| entry.0).collect();
        let new_keys: Vec<Ordinal> = new.iter().map(|entry| entry.0).collect();
        let old_marks = self.old_marks(key_type, &old_keys)?;
        let new_marks = self.new_marks(key_type, &new_keys)?;
        let (both, removed, added) = by_mark(old_marks.into_iter(), new_marks.into_iter());
        for (a, b) in both {
            let (old_value, new_value) = (old[a].1, new[b].1);
            if self.old_hash(value_type, old_value)? == self.new_hash(value_type, new_value)? {
                continue;
            }
            let segment = format!("[{}]", plain(&self.new_value(key_type, new[b].0)?));
            self.below(&segment, |this| {
                this.referred(value_type, Some(old_value), Some(new_value))
            })?;
        }
        for at in removed {
            let segment = format!("[{}]", plain(&self.old_value(key_type, old[at].0)?));
            self.below(&segment, |this| {
                this.referred(value_type, Some(old[at].1), None)
            })?;
        }
        for at in added {
            let segment = format!("[{}]", plain(&self.new_value(key_type, new[at].0)?));
            self.below(&segment, |this| {
                this.referred(value_type, None, Some(new[at].1))
            })?;
        }
        Ok(())
    }

    fn old_marks(
        &mut self,
        type_name: &str,
        ordinals: &[Ordinal],
    ) -> Result<Vec<(usize, Option<u128>)>> {
        ordinals
            .iter()
            .enumerate()
            .map(|(at, &ordinal)| Ok((at, self.old_hash(type_name, ordinal)?)))
            .collect()
    }

    fn new_marks(
        &mut self,
        type_name: &str,
        ordinals: &[Ordinal],
    ) -> Result<Vec<(usize, Option<u128>)>> {
        ordinals
            .iter()
            .enumerate()
            .map(|(at, &ordinal)| Ok((at, self.new_hash(type_name, ordinal)?)))
            .collect()
    }

    /// The key of an element type, where both states have one and the same.
    fn key_of(&mut self, type_name: &str) -> Option<Arc<(BoundKey, BoundKey)>> {
        if !self.keys.contains_key(type_name) {
            let same_key = || {
                let old = self.before.type_state(type_name)?.schema().primary_key()?;
                (self.after.type_state(type_name)?.schema().primary_key()? == old).then_some(())?;
                let old = BoundKey::bind(self.before, type_name, None).ok()?;
                let new = BoundKey::bind(self.after, type_name, None).ok()?;
                Some(Arc::new((old, new)))
            };
            let key = same_key();
            self.keys.insert(type_name.to_owned(), key);
        }
        self.keys.get(type_name).cloned().flatten()
    }
}

/// Position in `of` of the field that field `position` of `like` is.
fn partner(of: &ObjectSchema, like: &ObjectSchema, position: usize) -> Option<usize> {
    let field = &like.fields[position];
    of.fields.iter().position(|other| other == field)
}

/// A key's values in a form that can be hashed; the values of keys in one record's collections are few.
fn key_mark(key: &BoundKey, ordinal: Ordinal) -> String {
    key_segment(key, ordinal)
}

fn key_segment(key: &BoundKey, ordinal: Ordinal) -> String {
    let mut segment = String::from("[");
    for (position, (path, value)) in key.paths().zip(key.values(ordinal)).enumerate() {
        let separator = if position > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(segment, "{separator}{}={value}", path.text);
    }
    segment.push(']');
    segment
}

/// A map's key in a path: the value alone of records with a single field.
fn plain(key: &Value) -> String {
    match key {
        Value::Object(fields) if fields.len() == 1 => plain(&fields[0].1),
        other => other.to_string(),
    }
}
