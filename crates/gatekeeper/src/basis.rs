//! What a verdict rests on: one version of each input, an instant, and the rules.
//!
//! Every state of `liveness` says in its header tags what it was made of; a confirmation says the
//! same of a later cycle with an equal result. With a basis, any past cycle can be evaluated again.

use std::collections::BTreeMap;

use dataset::{DatasetName, Version};
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
    /// The `liveness` that was followed; absent where inputs and `now` were chosen by the cycle itself.
    pub const FOLLOWED_DATASET: &str = "greenlight.followed.dataset";
    /// Its version.
    pub const FOLLOWED_VERSION: &str = "greenlight.followed.version";
}

/// The output whose inputs and `now` a follower used.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Followed {
    /// The dataset: `prod/liveness`.
    pub dataset: DatasetName,
    /// Its version.
    pub version: Version,
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
        if let Some(Followed { dataset, version }) = &self.followed {
            tags.insert(tag::FOLLOWED_DATASET.to_owned(), dataset.to_string());
            tags.insert(tag::FOLLOWED_VERSION.to_owned(), version.to_string());
        }
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
        let followed = match tags.get(tag::FOLLOWED_DATASET) {
            None => None,
            Some(dataset) => Some(Followed {
                dataset: dataset
                    .parse()
                    .map_err(|_| unusable(tag::FOLLOWED_DATASET))?,
                version: text(tag::FOLLOWED_VERSION)?
                    .parse()
                    .map_err(|_| unusable(tag::FOLLOWED_VERSION))?,
            }),
        };
        Ok(Self {
            inputs,
            now_ms: text(tag::NOW)?.parse().map_err(|_| unusable(tag::NOW))?,
            configuration: rules.map_err(|_| unusable(tag::RULES))?,
            fingerprint: text(tag::RULES_FINGERPRINT)?.clone(),
            code_revision: text(tag::CODE)?.clone(),
            followed,
        })
    }

    /// The environment of the inputs of an output with this basis: that of what was followed, else
    /// the output's own.
    pub fn environment<'a>(&'a self, output: &'a DatasetName) -> &'a str {
        let followed = self.followed.as_ref();
        followed
            .map_or(output, |followed| &followed.dataset)
            .environment()
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
            followed: None,
        };
        let following = Basis {
            followed: Some(Followed {
                dataset: "prod/liveness".parse().unwrap(),
                version: Version(7),
            }),
            ..basis.clone()
        };
        for basis in [&basis, &following] {
            assert_eq!(
                &Basis::from_tags(Version(9), &basis.to_tags()).unwrap(),
                basis
            );
        }
        let mut tags = basis.to_tags();
        tags.remove("greenlight.input.holds");
        let error = Basis::from_tags(Version(9), &tags).unwrap_err().to_string();
        assert_eq!(
            error,
            "version 9 of liveness has no usable tag greenlight.input.holds"
        );
    }
}
