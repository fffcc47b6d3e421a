//! What an output rests on: one version of each input, an instant, and what the application says of itself.
//!
//! Every state of an output says in its header tags what it was made of; a confirmation says the same of a later cycle with
//! an equal result. With a basis, any past cycle can be evaluated again.

use std::collections::BTreeMap;

use registry::{DatasetName, Version};

/// The names of the header tags of outputs.
pub mod tag {
    /// The version of an input: this, then the input's name.
    pub const INPUT_PREFIX: &str = "greenlight.input.";
    /// The cycle's `now`, in milliseconds since 1970 UTC.
    pub const NOW: &str = "greenlight.now";
    /// The output that was followed; absent where inputs and `now` were chosen by the cycle itself.
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

impl Followed {
    /// The environment of the inputs of an output: that of what was followed, else the output's own.
    pub fn environment<'a>(followed: Option<&'a Self>, output: &'a DatasetName) -> &'a str {
        followed
            .map_or(output, |followed| &followed.dataset)
            .environment()
    }
}

/// What a cycle's output rests on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Basis {
    /// The version of every input, by name.
    pub inputs: BTreeMap<String, Version>,
    /// The instant, in milliseconds since 1970 UTC.
    pub now_ms: i64,
    /// What was followed; `None` where inputs and instant were the cycle's own choice.
    pub followed: Option<Followed>,
    /// What the application says beside, as header tags.
    pub application: BTreeMap<String, String>,
}

impl Basis {
    /// The basis as header tags.
    pub fn to_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.application.clone();
        for (input, version) in &self.inputs {
            let name = format!("{}{input}", tag::INPUT_PREFIX);
            tags.insert(name, version.to_string());
        }
        tags.insert(tag::NOW.to_owned(), self.now_ms.to_string());
        if let Some(Followed { dataset, version }) = &self.followed {
            tags.insert(tag::FOLLOWED_DATASET.to_owned(), dataset.to_string());
            tags.insert(tag::FOLLOWED_VERSION.to_owned(), version.to_string());
        }
        tags
    }

    /// The basis in the header tags of an output that has these inputs.
    ///
    /// # Errors
    /// The name of the first tag that is missing or not to be read.
    pub fn from_tags<'a>(
        tags: &BTreeMap<String, String>,
        inputs: impl Iterator<Item = &'a str>,
    ) -> Result<Self, String> {
        let unusable = str::to_owned;
        let mut application = tags.clone();
        application.retain(|name, _| !name.starts_with("hollow."));
        let mut take = |tag: &str| application.remove(tag);
        let mut versions = BTreeMap::new();
        for input in inputs {
            let name = format!("{}{input}", tag::INPUT_PREFIX);
            let version = take(&name).and_then(|text| text.parse().ok());
            versions.insert(input.to_owned(), version.ok_or_else(|| unusable(&name))?);
        }
        let now_ms = take(tag::NOW).and_then(|text| text.parse().ok());
        let now_ms = now_ms.ok_or_else(|| unusable(tag::NOW))?;
        let (dataset, version) = (take(tag::FOLLOWED_DATASET), take(tag::FOLLOWED_VERSION));
        let followed = match dataset {
            None => None,
            Some(dataset) => {
                let dataset = dataset
                    .parse()
                    .map_err(|_| unusable(tag::FOLLOWED_DATASET))?;
                let version = version.and_then(|text| text.parse().ok());
                Some(Followed {
                    dataset,
                    version: version.ok_or_else(|| unusable(tag::FOLLOWED_VERSION))?,
                })
            }
        };
        Ok(Self {
            inputs: versions,
            now_ms,
            followed,
            application,
        })
    }

    /// The environment of the inputs of an output with this basis.
    pub fn environment<'a>(&'a self, output: &'a DatasetName) -> &'a str {
        Followed::environment(self.followed.as_ref(), output)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_basis_survives_its_tags() {
        let basis = Basis {
            inputs: BTreeMap::from([
                ("left".to_owned(), Version(3)),
                ("right".to_owned(), Version(4)),
            ]),
            now_ms: 1_615_161_600_000,
            followed: None,
            application: BTreeMap::from([("greenlight.rules".to_owned(), "{}".to_owned())]),
        };
        let following = Basis {
            followed: Some(Followed {
                dataset: "prod/total".parse().unwrap(),
                version: Version(7),
            }),
            ..basis.clone()
        };
        let read =
            |tags: &BTreeMap<String, String>| Basis::from_tags(tags, ["left", "right"].into_iter());
        for basis in [&basis, &following] {
            let mut tags = basis.to_tags();
            tags.insert("hollow.blob.to.version".to_owned(), "9".to_owned());
            assert_eq!(&read(&tags).unwrap(), basis);
        }
        for missing in [
            "greenlight.input.right",
            "greenlight.now",
            "greenlight.followed.version",
        ] {
            let mut tags = following.to_tags();
            tags.remove(missing);
            assert_eq!(read(&tags).unwrap_err(), missing);
        }
    }
}
