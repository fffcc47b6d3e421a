//! A candidate: its blobs staged where no subscriber looks, and read back.

use std::borrow::Cow;
use std::io;
use std::panic::resume_unwind;
use std::thread;

use blobstore::Durably;
use hollow::sums::ChainSum;
use hollow::write::Sealed;
use hollow::{Filter, ReadState};
use rayon::prelude::*;
use registry::{BlobSum, Version};

use super::Publisher;
use crate::chain::{Blobs, Source, sha256};
use crate::names::{candidate_prefix, delta_name, reverse_delta_name, snapshot_name};
use crate::{Error, Result, Step};

/// Blobs by their keys.
pub(super) type Contents = Vec<(String, Vec<u8>)>;

/// The staged blobs of a candidate.
pub(super) struct Staged {
    pub(super) prefix: String,
    /// With the optional parts first, as they are promoted.
    pub(super) blobs: Vec<BlobSum>,
    /// The blobs by their keys.
    pub(super) contents: Contents,
}

impl Publisher {
    /// Writes the blobs of a sealed cycle under the candidate's prefix: delta and reverse delta, or the first snapshot. They can
    /// be read, and are durable after what stands beside them: nobody goes by them before they are accepted.
    pub(super) fn stage(&self, sealed: &Sealed, version: Version) -> Result<(Staged, Durably<'_>)> {
        let source = &self.source;
        let prefix = candidate_prefix(&source.dataset, version, self.epoch);
        let previous = self.version().filter(|_| !sealed.is_first());
        let parts: Vec<Option<&str>> = sealed.parts().map(Some).chain([None]).collect();
        // The part of the fold's memory is as large as the rest.
        let written: Vec<_> = parts
            .into_par_iter()
            .with_max_len(1)
            .map(|part| write_part(source, sealed, part, previous, version))
            .collect();
        let (mut blobs, mut contents) = (Vec::new(), Contents::new());
        for written in written {
            for (blob, bytes) in written? {
                contents.push((format!("{prefix}{}", blob.name), bytes));
                blobs.push(blob);
            }
        }
        let durably = source
            .store
            .put_all_soon(&contents)
            .map_err(|error| source.store_failed(error))?;
        self.hook(Step::BlobsStaged)?;
        let staged = Staged {
            prefix,
            blobs,
            contents,
        };
        Ok((staged, durably))
    }

    /// Reads the blobs back as a subscriber would: the chain sum after the delta must be the writer's, and after the reverse
    /// delta that of the state before. Returns the state as read.
    pub(super) fn verify(
        &self,
        sealed: &Sealed,
        version: Version,
        staged: &Staged,
    ) -> Result<ReadState> {
        let check = Check {
            source: &self.source,
            sealed,
            version,
            previous: self.version().unwrap_or_default(),
            staged,
        };
        let Some(before) = sealed.state_before() else {
            return check.snapshot();
        };
        // Side by side, and not in the pool that all datasets share, for a store may be slow.
        let (led, back) = thread::scope(|scope| {
            let led = scope.spawn(|| check.delta(before));
            let back = check.reverse_delta();
            (led.join(), back)
        });
        let after = led.unwrap_or_else(|panic| resume_unwind(panic))?;
        back?;
        Ok(after)
    }
}

/// The blobs of one part.
fn write_part(
    source: &Source,
    sealed: &Sealed,
    part: Option<&str>,
    previous: Option<Version>,
    version: Version,
) -> Result<Vec<(BlobSum, Vec<u8>)>> {
    let write = |name: String, write: &dyn Fn(&mut Vec<u8>) -> io::Result<()>| {
        let mut bytes = Vec::new();
        write(&mut bytes).map_err(|error| source.blob_failed(version, error))?;
        let sum = BlobSum {
            name,
            size: bytes.len() as u64,
            sha256: sha256(&bytes),
        };
        Ok((sum, bytes))
    };
    let Some(previous) = previous else {
        let name = snapshot_name(part, version);
        return Ok(vec![write(name, &|out| sealed.write_snapshot(part, out))?]);
    };
    let (name, reverse_name) = (
        delta_name(part, previous, version),
        reverse_delta_name(part, version, previous),
    );
    Ok(vec![
        write(name, &|out| sealed.write_delta(part, out))?,
        write(reverse_name, &|out| sealed.write_reverse_delta(part, out))?,
    ])
}

/// A candidate that is read back.
struct Check<'a> {
    source: &'a Source,
    sealed: &'a Sealed,
    version: Version,
    previous: Version,
    staged: &'a Staged,
}

impl Check<'_> {
    fn snapshot(&self) -> Result<ReadState> {
        let read = self
            .read(|part| snapshot_name(part, self.version))?
            .with(|blobs| ReadState::from_snapshot(blobs, &Filter::all()))
            .map_err(self.source.hollow_failed("read back the snapshot"))?;
        let holds = ChainSum::of(&read) == self.sealed.chain_sum();
        self.expect(holds, "the snapshot's records differ")?;
        Ok(read)
    }

    fn delta(&self, before: &ReadState) -> Result<ReadState> {
        let delta = self.read(|part| delta_name(part, self.previous, self.version))?;
        let sealed = self.sealed;
        // Its bytes came back with the SHA-256 of those that the writer applied, as every subscriber does, to make its own
        // state: they lead there, and need not be applied once more.
        let (after, changes) = if sealed.is_made_of_delta() {
            (sealed.state().clone(), Cow::Borrowed(sealed.changes()))
        } else {
            let applied = delta.with(|delta| before.apply(delta));
            let (after, changes) =
                applied.map_err(self.source.hollow_failed("read back the delta"))?;
            (after, Cow::Owned(changes))
        };
        let holds = sealed.is_led_to(&after, &changes);
        self.expect(holds, "the records after the delta differ")?;
        Ok(after)
    }

    /// The state before is still there, so each of its records that the reverse delta brings back is compared with it.
    fn reverse_delta(&self) -> Result<()> {
        let holds = self
            .read(|part| reverse_delta_name(part, self.version, self.previous))?
            .with(|reverse| self.sealed.is_led_back_by(reverse))
            .map_err(self.source.hollow_failed("read back the reverse delta"))?;
        self.expect(holds, "the reverse delta leads elsewhere")
    }

    fn read(&self, name: impl Fn(Option<&str>) -> String) -> Result<Blobs> {
        let read = |part: Option<&str>| {
            let name = name(part);
            let staged = self.staged.blobs.iter().find(|blob| blob.name == name);
            let staged =
                staged.ok_or_else(|| self.source.damaged(self.version, &name, "not staged"))?;
            let key = format!("{}{name}", self.staged.prefix);
            self.source
                .read_blob(self.version, &key, Some(staged.sha256))
        };
        let parts = self.sealed.parts();
        let parts = parts.map(|part| Ok((part.to_owned(), read(Some(part))?)));
        Ok(Blobs {
            parts: parts.collect::<Result<_>>()?,
            main: read(None)?,
        })
    }

    fn expect(&self, holds: bool, what: &'static str) -> Result<()> {
        if holds {
            return Ok(());
        }
        Err(Error::Verification {
            dataset: self.source.dataset.clone(),
            version: self.version,
            what,
        })
    }
}
