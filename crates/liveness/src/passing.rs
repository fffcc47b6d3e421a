//! What holds for a while: windows and holds begin and end, and all else lasts until a record changes. So whatever is known of some
//! facts is known until the next boundary.

use crate::country::CountrySet;
use crate::evaluate::Active;
use crate::facts::{Facts, Hold, Key, OPEN, Window};
use crate::rule::Check;

/// What a rule about windows or holds blocks at an instant.
pub(crate) fn block(facts: &Facts, active: &Active, key: &Key, at: i64) -> CountrySet {
    let pools = &facts.pools;
    let windows: &[Window] = pools.rights.get(key.ids.rights);
    match active.check {
        Check::Rights(check) => check(windows, at, &active.terms(facts)),
        Check::Holds(check) => {
            let holds: &[Hold] = pools.holds.get(key.ids.holds);
            match holds.is_empty() {
                true => CountrySet::EMPTY,
                false => check(holds, at, &active.terms(facts)),
            }
        }
        _ => CountrySet::EMPTY,
    }
}

/// The instants after now at which a window or hold begins or ends, ascending.
pub(crate) fn boundaries(facts: &Facts, key: &Key, now: i64, instants: &mut Vec<i64>) {
    instants.clear();
    instants.extend(later(facts, key, now));
    instants.sort_unstable();
    instants.dedup();
}

/// The first instant after now at which a window or hold begins or ends; the end of time where there is none.
pub(crate) fn next_boundary(facts: &Facts, key: &Key, now: i64) -> i64 {
    later(facts, key, now).min().unwrap_or(i64::MAX)
}

/// When windows and holds begin and end after now, in any order.
fn later(facts: &Facts, key: &Key, now: i64) -> impl Iterator<Item = i64> {
    let windows = facts.pools.rights.get(key.ids.rights).iter();
    let holds = facts.pools.holds.get(key.ids.holds).iter();
    let windows = windows.flat_map(|window| [window.start, window.end]);
    let holds = holds.flat_map(|hold| [hold.from, hold.until]);
    let all = windows.chain(holds);
    all.filter(move |&at| at > now && at != OPEN)
}
