//! The part of the walk that adds records which others refer to.

use super::bytes::Input;
use super::guess::Guess;
use super::memo::{MemoId, Name};
use super::out::Out;
use super::plan::{Branch, Child, ChildKind, Repeats, Source};
use super::skip::skip_value;
use super::walk::{Fault, RecordSink, Walk, undecodable};
use hollow::Ordinal;

impl<S: RecordSink> Walk<'_, S> {
    #[inline]
    pub(super) fn child(
        &mut self,
        child: &Child,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<Ordinal, Fault<S::Error>> {
        let Some(repeats) = &child.repeats else {
            return self.child_anew(child, input, out);
        };
        let mut guessed = None;
        if repeats.codes.is_some()
            && let Some(guess) = Guess::new(input.word(), input.rest())
        {
            let bytes = guess.bytes();
            let name = repeats.id.name(bytes);
            // What is known is the whole of a value, and nothing else begins with it: the guess need not be checked.
            if let Some(ordinal) = self.memory.memo.get(repeats.id, name, bytes)
                && input.advance(bytes.len()).is_some()
            {
                return Ok(ordinal);
            }
            guessed = Some((guess, name));
        }
        self.child_unless_known(child, repeats, guessed, input, out)
    }

    /// As [`child`](Self::child), where the guess of that name is not known.
    fn child_unless_known(
        &mut self,
        child: &Child,
        repeats: &Repeats,
        guessed: Option<(Guess<'_>, Name)>,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<Ordinal, Fault<S::Error>> {
        let id = repeats.id;
        let (mut after, before) = (*input, *input);
        let (bytes, name) = if let Some((guess, name)) = guessed
            && guess.is_right()
        {
            (guess.bytes(), name)
        } else {
            // Where it can't be passed over, reading it will tell why.
            let Ok(()) = skip_value(&repeats.skip, &mut after) else {
                return self.child_anew(child, input, out);
            };
            let bytes = before.until(&after);
            let name = id.name(bytes);
            if let Some(ordinal) = self.memory.memo.get(id, name, bytes) {
                *input = after;
                return Ok(ordinal);
            }
            (bytes, name)
        };
        let ordinal = self.child_anew(child, input, out)?;
        // A block may lie about its size.
        if before.remaining() - input.remaining() == bytes.len() {
            self.memory.memo.insert(id, name, bytes, ordinal);
        }
        Ok(ordinal)
    }

    fn child_anew(
        &mut self,
        child: &Child,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<Ordinal, Fault<S::Error>> {
        match &*child.kind {
            ChildKind::Record(plan) => self.built(child.type_index, out, |walk, out| {
                walk.record(plan, input, out)
            }),
            ChildKind::Boxed(emit) => self.built(child.type_index, out, |walk, out| {
                walk.emit(emit, None, input, out)
            }),
            ChildKind::List(item) => {
                let mut list = self.memory.lists.pop().unwrap_or_default();
                list.reset();
                let walked = self.members(child, item, input, out, |ordinal| list.push(ordinal));
                let added = walked.and_then(|()| self.add(child.type_index, list.bytes()));
                self.memory.lists.push(list);
                added
            }
            ChildKind::Set(item) => {
                let mut set = self.memory.sets.pop().unwrap_or_default();
                set.reset();
                let walked = self.members(child, item, input, out, |ordinal| set.insert(ordinal));
                let added = walked.and_then(|()| self.add(child.type_index, set.bytes()));
                self.memory.sets.push(set);
                added
            }
            ChildKind::Map { key, value } => {
                let mut map = self.memory.maps.pop().unwrap_or_default();
                map.reset();
                let walked = self.items(input, |walk, input, _| {
                    let key = walk.child(key, input, out)?;
                    map.insert(key, walk.item(value, input, out)?);
                    Ok(1)
                });
                let added = walked.and_then(|()| self.add(child.type_index, map.bytes()));
                self.memory.maps.push(map);
                added
            }
        }
    }

    /// Adds what `fill` writes.
    fn built(
        &mut self,
        type_index: usize,
        out: &mut Out,
        fill: impl FnOnce(&mut Self, &mut Out) -> Result<(), Fault<S::Error>>,
    ) -> Result<Ordinal, Fault<S::Error>> {
        let start = out.len();
        fill(self, out)?;
        let added = self.add(type_index, out.from(start));
        out.truncate(start);
        added
    }

    fn add(&mut self, type_index: usize, record: &[u8]) -> Result<Ordinal, Fault<S::Error>> {
        self.sink.add(type_index, record).map_err(Fault::Sink)
    }

    /// The items of a list or set.
    fn members(
        &mut self,
        child: &Child,
        item: &Source<Child>,
        input: &mut Input<'_>,
        out: &mut Out,
        mut each: impl FnMut(Ordinal),
    ) -> Result<(), Fault<S::Error>> {
        if let Source::Plain(item) = item
            && let ChildKind::Record(plan) = &*item.kind
        {
            return self.items(input, |walk, input, _| {
                let fill = |walk: &mut Self, out: &mut Out| walk.record(plan, input, out);
                each(walk.built(item.type_index, out, fill)?);
                Ok(1)
            });
        }
        let Some(codes) = child.repeats.as_ref().and_then(|repeats| repeats.codes) else {
            return self.items(input, |walk, input, _| {
                each(walk.item(item, input, out)?);
                Ok(1)
            });
        };
        self.items(input, |walk, input, left| {
            let known = walk.known_pairs(codes, input, left, &mut each);
            if known > 0 {
                return Ok(known);
            }
            let pair = two_letters(input.rest());
            let ordinal = walk.item(item, input, out)?;
            if let Some(pair) = pair {
                walk.memory.memo.pairs(codes).insert(pair, ordinal);
            }
            each(ordinal);
            Ok(1)
        })
    }

    /// Takes items as long as they are of two letters and known, at most `left`, and says how many.
    fn known_pairs(
        &mut self,
        id: MemoId,
        input: &mut Input<'_>,
        left: u64,
        each: &mut impl FnMut(Ordinal),
    ) -> u64 {
        let pairs = self.memory.memo.pairs(id);
        let (items, _) = input.rest().as_chunks::<3>();
        let mut known = 0;
        for item in items {
            if known == left {
                break;
            }
            let Some(ordinal) = two_letters(item).and_then(|pair| pairs.get(pair)) else {
                break;
            };
            each(ordinal);
            known += 1;
        }
        // No more than there are chunks.
        let _ = input.advance(3 * known as usize);
        known
    }

    fn item(
        &mut self,
        source: &Source<Child>,
        input: &mut Input<'_>,
        out: &mut Out,
    ) -> Result<Ordinal, Fault<S::Error>> {
        match source {
            Source::Plain(child) => self.child(child, input, out),
            Source::Union(branches) => match branches.get(input.index().map_err(undecodable)?) {
                Some(Branch::Value(child)) => self.child(child, input, out),
                _ => Err(undecodable(
                    "the union's branch is not one that the dataset takes",
                )),
            },
        }
    }

    /// Walks the items of an array or map. `each` walks at least one, at most as many as it is told, and returns how many.
    fn items(
        &mut self,
        input: &mut Input<'_>,
        mut each: impl FnMut(&mut Self, &mut Input<'_>, u64) -> Result<u64, Fault<S::Error>>,
    ) -> Result<(), Fault<S::Error>> {
        loop {
            let (count, _) = input.block().map_err(undecodable)?;
            if count == 0 {
                return Ok(());
            }
            let mut left = count;
            while left > 0 {
                let before = input.remaining();
                left -= each(self, input, left)?;
                // An item of no bytes (an empty record) could be claimed any number of times.
                if input.remaining() == before && count > 1 << 16 {
                    return Err(undecodable("a block claims more items than it can hold"));
                }
            }
        }
    }
}

/// The letters of a string of two, which the bytes begin with.
#[inline]
fn two_letters(bytes: &[u8]) -> Option<[u8; 2]> {
    match *bytes {
        [4, a, b, ..] => Some([a, b]),
        _ => None,
    }
}
