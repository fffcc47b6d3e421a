//! The demo in rounds: a scripted cut of the log, all producers, the gatekeeper, its follower. With a stopped clock every byte that it
//! writes is a function of the scenario.

use super::feed::Feed;
use super::roles::Roles;
use super::summary::Printer;
use crate::error::Result;
use crate::stop::Stop;

/// Folds and evaluates the base, which is in the log, and then the changes, round by round.
pub(super) fn run(
    roles: &mut Roles,
    feed: &mut Feed<'_>,
    printer: &mut Printer,
    stop: &Stop,
) -> Result<()> {
    let ends = feed.rounds();
    for until_ms in std::iter::once(None).chain(ends.into_iter().map(Some)) {
        if stop.is_set() {
            break;
        }
        if let Some(until_ms) = until_ms {
            feed.changes(until_ms)?;
        }
        roles.fold_all()?;
        let now_ms = roles.clock.now_ms();
        let prod = roles.gatekeeper.cycle(now_ms)?;
        let preprod = match &mut roles.preprod {
            Some(preprod) => preprod.cycle(now_ms)?,
            None => None,
        };
        printer.cycle(&prod, preprod)?;
    }
    Ok(())
}
