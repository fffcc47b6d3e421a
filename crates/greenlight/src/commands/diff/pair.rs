//! Which two states are compared.

use std::sync::Arc;

use dataset::{SubscriberOptions, View};
use gatekeeper::{Basis, output};
use hollow::sums::Digest;
use insight::Comparison;
use registry::{DatasetName, Version, Versions};

use crate::connect::Connected;
use crate::error::{Error, Result};

/// Which two states are asked for.
pub(super) struct Asked {
    /// The dataset of the first.
    pub(super) dataset: DatasetName,
    /// That of the second; the same for two versions of one dataset.
    pub(super) other: DatasetName,
    /// The version of the first; `None`: the one that goes with the second.
    pub(super) from: Option<Version>,
    /// That of the second; `None`: the newest.
    pub(super) to: Option<Version>,
}

/// Two states and what they belong to.
pub(super) struct Pair {
    pub(super) dataset: DatasetName,
    pub(super) other: DatasetName,
    pub(super) before: Arc<View>,
    pub(super) after: Arc<View>,
    /// The environment of the inputs, where titles and popularity are.
    pub(super) environment: String,
}

impl Pair {
    /// Whether these are verdicts.
    pub(super) fn is_liveness(&self) -> bool {
        self.after.state().type_state(output::ROOT_TYPE).is_some()
    }

    /// Compares them; by what differs where one leads to the other along deltas.
    pub(super) fn compare(&self) -> Result<Comparison<'_>> {
        let (before, after) = (self.before.state(), self.after.state());
        let (info, chain) = (self.before.info(), self.after.info().chain);
        if self.dataset == self.other && info.chain == chain {
            let digest = Digest(info.sums.digest.0);
            return Ok(Comparison::within_chain(before, after, digest)?);
        }
        Ok(Comparison::new(before, after)?)
    }
}

/// Loads the states that are asked for, or the newest two that belong together.
pub(super) fn find(connected: &Connected, asked: Asked) -> Result<Pair> {
    let subscriber = |name| connected.subscriber(name, SubscriberOptions::default());
    let (before, after) = if asked.dataset == asked.other {
        let (from, to) = of_one(connected, &asked)?;
        let subscriber = subscriber(&asked.dataset);
        // The second view is reached from the first along the chain, so that both share what did not change.
        (subscriber.move_to(from)?.after, subscriber.open_at(to)?)
    } else {
        let (from, to) = of_two(connected, &asked)?;
        (
            subscriber(&asked.dataset).open_at(from)?,
            subscriber(&asked.other).open_at(to)?,
        )
    };
    let basis = Basis::from_tags(after.version(), after.state().header_tags());
    let environment = basis.as_ref().map_or(asked.other.environment(), |basis| {
        basis.environment(&asked.other)
    });
    Ok(Pair {
        environment: environment.to_owned(),
        dataset: asked.dataset,
        other: asked.other,
        before,
        after,
    })
}

/// Two versions of one dataset: by default the newest and the one before it.
fn of_one(connected: &Connected, asked: &Asked) -> Result<(Version, Version)> {
    let dataset = &asked.dataset;
    let to = match asked.to {
        Some(_) => connected.version(dataset, asked.to)?,
        None => newest(connected, dataset)?,
    };
    if asked.from.is_some() {
        return Ok((connected.version(dataset, asked.from)?, to));
    }
    let selection = Versions {
        to: Version(to.0 - 1),
        ..Versions::newest(1)
    };
    let earlier = connected.registry.versions(dataset, &selection)?;
    let earlier = earlier.first().map(|info| info.version);
    Ok((
        earlier.ok_or_else(|| Error::NoEarlier(dataset.clone()))?,
        to,
    ))
}

/// Versions of two datasets: by default the newest that one of them evaluated from the other.
fn of_two(connected: &Connected, asked: &Asked) -> Result<(Version, Version)> {
    let (dataset, other) = (&asked.dataset, &asked.other);
    let named = |name: &DatasetName, version: Option<Version>| match version {
        Some(_) => connected.version(name, version).map(Some),
        None => Ok(None),
    };
    match (named(dataset, asked.from)?, named(other, asked.to)?) {
        (Some(from), Some(to)) => Ok((from, to)),
        (Some(from), None) => Ok((from, newest(connected, other)?)),
        (None, Some(to)) => {
            let basis = Basis::of_version(other, to, &connected.store, &connected.registry)?;
            match basis
                .followed
                .filter(|followed| followed.dataset == *dataset)
            {
                Some(followed) => Ok((followed.version, to)),
                None => Ok((newest(connected, dataset)?, to)),
            }
        }
        (None, None) => {
            let basis = |name| {
                newest(connected, name)?;
                Ok::<_, Error>(Basis::newest(name, &connected.store, &connected.registry)?)
            };
            let ((from, first), (to, second)) = (basis(dataset)?, basis(other)?);
            match (first.followed, second.followed) {
                (_, Some(followed)) if followed.dataset == *dataset => Ok((followed.version, to)),
                (Some(followed), _) if followed.dataset == *other => Ok((from, followed.version)),
                (Some(first), Some(second)) if first == second => Ok((from, to)),
                _ => Err(Error::NoPair {
                    dataset: dataset.clone(),
                    other: other.clone(),
                }),
            }
        }
    }
}

/// The newest announced version, whatever is pinned.
fn newest(connected: &Connected, dataset: &DatasetName) -> Result<Version> {
    let newest = connected.dataset(dataset)?.newest_announced();
    newest.ok_or_else(|| Error::NothingAnnounced(dataset.clone()))
}
