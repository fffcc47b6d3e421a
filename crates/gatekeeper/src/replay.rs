//! Evaluating a past cycle again, with its own rules or with others, or with records that were otherwise.

use std::sync::Arc;

use blobstore::BlobStore;
use dataset::evaluate;
use dataset::{DatasetName, Version};
use hollow::write::WriteOptions;
use liveness::Configuration;
use registry::Registry;

use crate::Result;
use crate::application::Liveness;
use crate::basis::Basis;
use crate::replacement::Replacement;

/// A version of `liveness` and what came of evaluating it again.
pub type Replayed = evaluate::Replayed<Basis>;

/// Evaluates versions of an output again. Near versions share their inputs, so a whole history costs
/// by its changes.
pub struct Replayer(evaluate::Replayer<Liveness>);

impl Replayer {
    /// A replayer of an output; loads nothing yet.
    ///
    /// # Errors
    /// [`Error::Dataset`] where its environment makes no dataset's name.
    pub fn new(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let liveness = Liveness::new(&Configuration::default(), "")?;
        let replayer = evaluate::Replayer::new(output, liveness, store, registry)?;
        Ok(Self(replayer))
    }

    /// Sets every input to the version that a version of the output was made of and evaluates again,
    /// at the same `now`: with its own rules or with other ones, and with some records replaced.
    ///
    /// # Errors
    /// [`Error::Dataset`] where there is no such version or an input cannot be brought there, [`Error::Tag`] where it does
    /// not say what it was made of, [`Error::Rules`], [`Error::Replacement`].
    pub fn replay(
        &mut self,
        version: Version,
        rules: Option<&Configuration>,
        replacements: &[Replacement],
    ) -> Result<Replayed> {
        let replayed = self.0.replay_with(version, |inputs| {
            if let Some(rules) = rules {
                inputs.application_mut().set_rules(rules)?;
            }
            for replacement in replacements {
                let view = inputs.view(replacement.input.name()).cloned();
                if let Some(view) = view {
                    inputs.application_mut().replace(replacement, &view)?;
                }
            }
            Ok(!replacements.is_empty())
        })?;
        replayed.try_map_basis(Basis::new)
    }

    /// Whether a version comes out again byte for byte: delta and reverse delta (of the first of a
    /// chain: the snapshot), written from the state before with its own rules. That is promised for
    /// the code revision that wrote it ([`Basis::code_revision`]) and its [`WriteOptions`].
    ///
    /// # Errors
    /// As [`Replayer::replay`], and those of loading the version before.
    pub fn is_byte_identical(&mut self, version: Version, options: &WriteOptions) -> Result<bool> {
        Ok(self.0.is_byte_identical(version, options)?)
    }
}
