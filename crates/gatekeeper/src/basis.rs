//! What a verdict rests on: one version of each input, an instant, and the rules.
//!
//! Every state of `liveness` says in its header tags what it was made of; a confirmation says the
//! same of a later cycle with an equal result. With a basis, any past cycle can be evaluated again.

use std::collections::BTreeMap;

use dataset::Version;
use liveness::Configuration;

use crate::input::Input;
use crate::{Error, Result};

/// The names of the header tags of `liveness`.
pub mod tag {
    /// The version of an input: this, then the input's name.
    pub const INPUT_PREFIX: &str = "greenlight.input.";
    /// The cycle's `now`, in milliseconds since 1970 UTC.
    pub const NOW: &str = "greenlight.now";
    /// The fingerprint of the rules, 32 hex digits.
    pub const RULES_FINGERPRINT: &str = "greenlight.rules.fingerprint";
    /// The whole configuration of the rules, as JSON.
    pub const RULES: &str = "greenlight.rules";
    /// The revision of the code.
    pub const CODE: &str = "greenlight.code";
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
}

impl Basis {
    /// The basis as header tags.
    pub fn to_tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for (input, version) in &self.inputs {
            let name = format!("{}{input}", tag::INPUT_PREFIX);
            tags.insert(name, version.to_string());
        }
        let rules = serde_json::to_string(&self.configuration).unwrap_or_default();
        tags.insert(tag::NOW.to_owned(), self.now_ms.to_string());
        tags.insert(tag::RULES_FINGERPRINT.to_owned(), self.fingerprint.clone());
        tags.insert(tag::RULES.to_owned(), rules);
        tags.insert(tag::CODE.to_owned(), self.code_revision.clone());
        tags
    }

    /// The basis in the header tags of a version of `liveness`.
    ///
    /// # Errors
    /// [`Error::Tag`] names the first tag that is missing or not to be read.
    pub fn from_tags(version: Version, tags: &BTreeMap<String, String>) -> Result<Self> {
        let unusable = |tag: &str| Error::Tag {
            version,
            tag: tag.to_owned(),
        };
        let text = |tag: &str| tags.get(tag).ok_or_else(|| unusable(tag));
        let mut inputs = BTreeMap::new();
        for input in Input::ALL {
            let name = format!("{}{input}", tag::INPUT_PREFIX);
            let version = text(&name)?.parse().map_err(|_| unusable(&name))?;
            inputs.insert(input, version);
        }
        let rules = serde_json::from_str(text(tag::RULES)?);
        Ok(Self {
            inputs,
            now_ms: text(tag::NOW)?.parse().map_err(|_| unusable(tag::NOW))?,
            configuration: rules.map_err(|_| unusable(tag::RULES))?,
            fingerprint: text(tag::RULES_FINGERPRINT)?.clone(),
            code_revision: text(tag::CODE)?.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_survives_its_tags() {
        let configuration = Configuration::default().complete().unwrap();
        let basis = Basis {
            inputs: Input::ALL.into_iter().zip((1..).map(Version)).collect(),
            now_ms: 1_615_161_600_000,
            fingerprint: configuration.fingerprint().unwrap(),
            configuration,
            code_revision: "0.1.0".to_owned(),
        };
        let mut tags = basis.to_tags();
        assert_eq!(Basis::from_tags(Version(9), &tags).unwrap(), basis);
        tags.remove("greenlight.input.holds");
        let error = Basis::from_tags(Version(9), &tags).unwrap_err().to_string();
        assert_eq!(
            error,
            "version 9 of liveness has no usable tag greenlight.input.holds"
        );
    }
}
