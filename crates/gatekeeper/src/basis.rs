//! What a verdict rests on: one version of each input, an instant, and the rules.
//!
//! It is the basis that every evaluated output has ([`dataset::evaluate::Basis`]), with the inputs by their kind and the
//! application's own tags read: the rules and the revision of the code.

use std::collections::BTreeMap;
use std::sync::Arc;

use blobstore::BlobStore;
use dataset::evaluate;
use dataset::{DatasetName, Version};
use liveness::Configuration;
use registry::Registry;

pub use dataset::evaluate::Followed;

use crate::input::Input;
use crate::{Error, Result};

/// The names of the header tags of `liveness`.
pub mod tag {
    pub use dataset::evaluate::tag::*;

    /// The fingerprint of the rules, 32 hex digits.
    pub const RULES_FINGERPRINT: &str = "greenlight.rules.fingerprint";
    /// The whole configuration of the rules, as JSON.
    pub const RULES: &str = "greenlight.rules";
    /// The revision of the code.
    pub const CODE: &str = "greenlight.code";
}

/// What `liveness` says of itself beside inputs and instant.
pub(crate) struct Rules {
    pub(crate) configuration: Configuration,
    pub(crate) fingerprint: String,
    pub(crate) code_revision: String,
}

impl Rules {
    pub(crate) fn to_tags(&self) -> BTreeMap<String, String> {
        let rules = serde_json::to_string(&self.configuration).unwrap_or_default();
        BTreeMap::from([
            (tag::RULES_FINGERPRINT.to_owned(), self.fingerprint.clone()),
            (tag::RULES.to_owned(), rules),
            (tag::CODE.to_owned(), self.code_revision.clone()),
        ])
    }

    /// What the tags say, or the first that is missing or not to be read.
    pub(crate) fn from_tags(tags: &BTreeMap<String, String>) -> Result<Self, String> {
        let text = |tag: &str| tags.get(tag).ok_or_else(|| tag.to_owned());
        let rules = serde_json::from_str(text(tag::RULES)?);
        Ok(Self {
            configuration: rules.map_err(|_| tag::RULES.to_owned())?,
            fingerprint: text(tag::RULES_FINGERPRINT)?.clone(),
            code_revision: text(tag::CODE)?.clone(),
        })
    }
}

/// What a cycle's verdicts rest on.
#[derive(Clone, PartialEq, Debug)]
pub struct Basis {
    /// The version of every input.
    pub inputs: BTreeMap<Input, Version>,
    /// The instant, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// The rules, complete.
    pub configuration: Configuration,
    /// The rules' fingerprint.
    pub fingerprint: String,
    /// The revision of the code that evaluated.
    pub code_revision: String,
    /// What was followed; `None` where inputs and instant were the cycle's own choice.
    pub followed: Option<Followed>,
}

impl Basis {
    /// The basis of a version of `liveness`.
    ///
    /// # Errors
    /// [`Error::Tag`] names the first tag of the rules that is missing or not to be read.
    pub fn new(version: Version, basis: evaluate::Basis) -> Result<Self> {
        let rules = Rules::from_tags(&basis.application);
        let rules = rules.map_err(|tag| Error::Tag { version, tag })?;
        let inputs = basis.inputs.into_iter();
        Ok(Self {
            inputs: inputs
                .filter_map(|(name, version)| Some((Input::from_name(&name)?, version)))
                .collect(),
            now_ms: basis.now_ms,
            configuration: rules.configuration,
            fingerprint: rules.fingerprint,
            code_revision: rules.code_revision,
            followed: basis.followed,
        })
    }

    /// The basis in the header tags of a version of `liveness`.
    ///
    /// # Errors
    /// [`Error::Tag`] names the first tag that is missing or not to be read.
    pub fn from_tags(version: Version, tags: &BTreeMap<String, String>) -> Result<Self> {
        let basis = evaluate::Basis::from_tags(tags, names());
        Self::new(version, basis.map_err(|tag| Error::Tag { version, tag })?)
    }

    /// The newest announced version of an output, whatever is pinned, and what it or its newest confirmation rests on. Loads
    /// header tags alone.
    ///
    /// # Errors
    /// [`Error::Dataset`] where nothing is announced or loading fails, [`Error::Tag`].
    pub fn newest(
        output: &DatasetName,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<(Version, Self)> {
        let (version, basis) = evaluate::Basis::newest(output, names(), store, registry)?;
        Ok((version, Self::new(version, basis)?))
    }

    /// What a version of an output rests on. Loads header tags alone.
    ///
    /// # Errors
    /// [`Error::Dataset`] where there is no such version, [`Error::Tag`].
    pub fn of_version(
        output: &DatasetName,
        version: Version,
        store: &Arc<dyn BlobStore>,
        registry: &Arc<dyn Registry>,
    ) -> Result<Self> {
        let basis = evaluate::Basis::of_version(output, version, names(), store, registry)?;
        Self::new(version, basis)
    }

    /// The environment of the inputs of an output with this basis.
    pub fn environment<'a>(&'a self, output: &'a DatasetName) -> &'a str {
        Followed::environment(self.followed.as_ref(), output)
    }
}

/// The names of the inputs.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    Input::ALL.into_iter().map(Input::name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_survive_their_tags() {
        let configuration = Configuration::default().complete().unwrap();
        let rules = Rules {
            fingerprint: configuration.fingerprint().unwrap(),
            configuration: configuration.clone(),
            code_revision: "0.1.0".to_owned(),
        };
        let inputs = names().map(str::to_owned).zip((1..).map(Version));
        let basis = evaluate::Basis {
            inputs: inputs.collect(),
            now_ms: 1_615_161_600_000,
            followed: None,
            application: rules.to_tags(),
        };
        let mut tags = basis.to_tags();
        let read = Basis::from_tags(Version(9), &tags).unwrap();
        assert_eq!(read.inputs[&Input::Holds], Version(9));
        assert_eq!((read.now_ms, read.followed), (basis.now_ms, None));
        assert_eq!(read.configuration, configuration);
        assert_eq!(read.fingerprint, rules.fingerprint);
        assert_eq!(read.code_revision, rules.code_revision);
        tags.remove("greenlight.rules");
        let error = Basis::from_tags(Version(9), &tags).unwrap_err().to_string();
        assert_eq!(
            error,
            "version 9 of liveness has no usable tag greenlight.rules"
        );
    }
}
