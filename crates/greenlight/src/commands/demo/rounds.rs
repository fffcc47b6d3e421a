//! The demo in rounds: a scripted cut of the log, all producers, the gatekeeper. With a stopped clock every byte that it
//! writes is a function of the scenario.

use super::feed::Feed;
use super::roles::Roles;
use super::summary;
use crate::error::Result;
use crate::stop::Stop;

/// Folds and evaluates the base, which is in the log, and then the changes, round by round.
pub(super) fn run(roles: &mut Roles, feed: &mut Feed<'_>, json: bool, stop: &Stop) -> Result<()> {
    let ends = feed.rounds();
    for (cycle, until_ms) in (1..).zip(std::iter::once(None).chain(ends.into_iter().map(Some))) {
        if stop.is_set() {
            break;
        }
        if let Some(until_ms) = until_ms {
            feed.changes(until_ms)?;
        }
        roles.fold_all()?;
        let outcome = roles.gatekeeper.cycle(roles.clock.now_ms())?;
        summary::print(cycle, &outcome, json)?;
    }
    Ok(())
}
