//! A candidate: its blobs staged where no subscriber looks, and read back.

use hollow::sums::ChainSum;
use hollow::write::Sealed;
use hollow::{Filter, ReadState};
use registry::{BlobSum, Version};

use super::Publisher;
use crate::chain::{Blobs, sha256};
use crate::names::{candidate_prefix, delta_name, reverse_delta_name, snapshot_name};
use crate::{Error, Result, Step};

/// The staged blobs of a candidate.
pub(super) struct Staged {
    pub(super) prefix: String,
    /// With the optional parts first, as they are promoted.
    pub(super) blobs: Vec<BlobSum>,
}

impl Publisher {
    /// Writes the blobs of a sealed cycle under the candidate's prefix: delta and reverse delta, or the first snapshot.
    pub(super) fn stage(&self, sealed: &Sealed, version: Version) -> Result<Staged> {
        let prefix = candidate_prefix(&self.source.dataset, version, self.epoch);
        let previous = self.version().filter(|_| !sealed.is_first());
        let mut named: Vec<(String, Vec<u8>)> = Vec::new();
        for part in sealed.parts().map(Some).chain([None]) {
            let mut bytes = Vec::new();
            let Some(previous) = previous else {
                sealed
                    .write_snapshot(part, &mut bytes)
                    .map_err(|error| self.source.blob_failed(version, error))?;
                named.push((snapshot_name(part, version), bytes));
                continue;
            };
            let mut reverse = Vec::new();
            sealed
                .write_delta(part, &mut bytes)
                .and_then(|()| sealed.write_reverse_delta(part, &mut reverse))
                .map_err(|error| self.source.blob_failed(version, error))?;
            named.push((delta_name(part, previous, version), bytes));
            named.push((reverse_delta_name(part, version, previous), reverse));
        }
        let blobs = named.iter().map(|(name, bytes)| BlobSum {
            name: name.clone(),
            size: bytes.len() as u64,
            sha256: sha256(bytes),
        });
        let blobs: Vec<BlobSum> = blobs.collect();
        for (name, _) in &mut named {
            name.insert_str(0, &prefix);
        }
        self.source
            .store
            .put_all(&named)
            .map_err(|source| self.source.store_failed(source))?;
        self.hook(Step::BlobsStaged)?;
        Ok(Staged { prefix, blobs })
    }

    /// Reads the blobs back as a subscriber would: the chain sum after the delta must be the writer's, and after the reverse
    /// delta that of the state before. Returns the state as read.
    pub(super) fn verify(
        &self,
        sealed: &Sealed,
        version: Version,
        staged: &Staged,
    ) -> Result<ReadState> {
        let Some(before) = sealed.state_before() else {
            let blobs =
                self.read_back(sealed, version, staged, |part| snapshot_name(part, version))?;
            let read = blobs
                .with(|blobs| ReadState::from_snapshot(blobs, &Filter::all()))
                .map_err(self.source.hollow_failed("read back the snapshot"))?;
            self.check(
                version,
                ChainSum::of(&read) == sealed.chain_sum(),
                "the snapshot's records differ",
            )?;
            return Ok(read);
        };
        let previous = self.version().unwrap_or_default();
        let delta = self.read_back(sealed, version, staged, |part| {
            delta_name(part, previous, version)
        })?;
        let (after, changes) = delta
            .with(|delta| before.apply(delta))
            .map_err(self.source.hollow_failed("read back the delta"))?;
        let sum_before = sealed.chain_sum_before().unwrap_or(ChainSum::EMPTY);
        let sum = sum_before.updated(before, &after, &changes);
        self.check(
            version,
            sum == sealed.chain_sum(),
            "the records after the delta differ",
        )?;

        let reverse = self.read_back(sealed, version, staged, |part| {
            reverse_delta_name(part, version, previous)
        })?;
        let (back, changes) = reverse
            .with(|reverse| after.apply(reverse))
            .map_err(self.source.hollow_failed("read back the reverse delta"))?;
        let sum_back = sum.updated(&after, &back, &changes);
        self.check(
            version,
            sum_back == sum_before,
            "the records after the reverse delta differ",
        )?;
        self.check(
            version,
            back.tag() == before.tag(),
            "the reverse delta leads elsewhere",
        )?;
        Ok(after)
    }

    fn read_back(
        &self,
        sealed: &Sealed,
        version: Version,
        staged: &Staged,
        name: impl Fn(Option<&str>) -> String,
    ) -> Result<Blobs> {
        let read = |part: Option<&str>| {
            let name = name(part);
            let sum = staged
                .blobs
                .iter()
                .find(|blob| blob.name == name)
                .map(|blob| blob.sha256);
            self.source
                .read_blob(version, &format!("{}{name}", staged.prefix), sum)
        };
        let parts = sealed
            .parts()
            .map(|part| Ok((part.to_owned(), read(Some(part))?)))
            .collect::<Result<_>>()?;
        Ok(Blobs {
            main: read(None)?,
            parts,
        })
    }

    fn check(&self, version: Version, holds: bool, what: &'static str) -> Result<()> {
        if holds {
            Ok(())
        } else {
            Err(self.unverified(version, what))
        }
    }

    fn unverified(&self, version: Version, what: &'static str) -> Error {
        Error::Verification {
            dataset: self.source.dataset.clone(),
            version,
            what,
        }
    }
}
