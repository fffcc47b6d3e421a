//! Walks the fields of a record that are [`Quick`]: each is written as a line of fixed size of which only the length counts. Nothing
//! counts that took of what is behind the end.

use super::bytes::Input;
use super::memo::Memo;
use super::out::Out;
use super::quick::{LINE, Lead, Quick};
use super::repeats::{Repeats, WRITTEN};
use crate::key::Key;
use hollow::codec::varint;

/// For sixteen fields; few records have more.
const ROOM: usize = 16 * LINE + WRITTEN;

/// What is known from record to record.
pub(super) struct Known<'a> {
    pub(super) memo: &'a Memo,
    pub(super) repeats: &'a mut Repeats,
}

/// Walks fields up to one that is otherwise, or for which there is no room, and says how many. `bounds` are the numbers of the record's fields that bound intervals.
pub(super) fn walk(
    fields: &[Quick],
    key: &Key,
    known: Known<'_>,
    bounds: &mut [i64],
    input: &mut Input<'_>,
    out: &mut Out,
) -> usize {
    let Some(room) = out.room::<ROOM>() else {
        return 0;
    };
    let body = input.rest();
    let (mut at, mut end, mut walked) = (0, 0, 0);
    let mut new = None;
    while end <= ROOM - WRITTEN
        && let Some(field) = fields.get(walked)
    {
        let place = &mut room[end..][..WRITTEN];
        let mut from = at;
        match field.lead {
            Lead::Nothing => {}
            Lead::Union { null, value } => {
                let Some(&branch) = body.get(from) else { break };
                if branch == null {
                    place[0] = varint::NULL;
                    (at, end, walked) = (at + 1, end + 1, walked + 1);
                    continue;
                }
                if branch != value {
                    break;
                }
                from += 1;
            }
            Lead::Run(run) => {
                if let Some(same) = known.repeats.get(run, body, at) {
                    place.copy_from_slice(&same.line);
                    (at, end, walked) = (at + same.read, end + same.written, walked + run.len);
                    continue;
                }
                new = Some((run, at, end, walked + run.len));
            }
        }
        let Some((line, _)) = place.split_first_chunk_mut() else {
            break;
        };
        let Some((taken, written)) = field.put(body, from, key, known.memo, bounds, line) else {
            break;
        };
        (at, end, walked) = (from + taken, end + written, walked + 1);
    }
    if let Some((run, read, written, behind)) = new
        && walked == behind
    {
        known
            .repeats
            .insert(run, body.get(read..at), room.get(written..end));
    }
    if input.advance(at).is_none() {
        return 0;
    }
    out.advance(end);
    walked
}
