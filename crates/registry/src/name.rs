//! Names of datasets, and scopes: which part of the fleet something applies to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name that breaks the rules of [`DatasetName`] or [`Scope`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no {what}: {expected}")]
pub struct NameError {
    what: &'static str,
    expected: &'static str,
    text: String,
}

/// A dataset's name, `environment/name`, both 1 to 100 of the characters `a-z 0-9 _ -`. Also the prefix of its blobs.
///
/// ```
/// use registry::DatasetName;
///
/// let name: DatasetName = "liveness".parse().unwrap();
/// assert_eq!(name.to_string(), "prod/liveness");
/// assert!("prod/../liveness".parse::<DatasetName>().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DatasetName(String);

impl DatasetName {
    /// The whole name, `environment/name`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `/`.
    pub fn environment(&self) -> &str {
        self.0
            .split_once('/')
            .map_or("", |(environment, _)| environment)
    }

    /// The part after the `/`.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or(&self.0, |(_, name)| name)
    }
}

impl FromStr for DatasetName {
    type Err = NameError;

    /// Reads `environment/name`, or `name` alone, which means `prod/name`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let full = if text.contains('/') {
            text.to_owned()
        } else {
            format!("prod/{text}")
        };
        let is_part = |part: &str| {
            (1..=100).contains(&part.len())
                && part.bytes().all(|byte| {
                    byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
                })
        };
        match full.split_once('/') {
            Some((environment, name)) if is_part(environment) && is_part(name) => Ok(Self(full)),
            _ => Err(NameError {
                what: "dataset name",
                expected: "expected NAME or ENVIRONMENT/NAME, each of a-z, 0-9, '_' and '-'",
                text: text.to_owned(),
            }),
        }
    }
}

impl TryFrom<String> for DatasetName {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<DatasetName> for String {
    fn from(name: DatasetName) -> Self {
        name.0
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A part of the fleet: region, application and cluster, each given or left open.
///
/// Of a pin or an announcement it says whom that applies to: everybody who agrees in all that is given. Of a consumer it
/// says where that runs. Reads `region/application/cluster` with `*` for what is open; the empty text is
/// [`Scope::everybody`].
///
/// ```
/// use registry::Scope;
///
/// let europe: Scope = "eu-west/*/*".parse().unwrap();
/// let consumer: Scope = "eu-west/search/blue".parse().unwrap();
/// assert!(europe.covers(&consumer) && Scope::everybody().covers(&consumer));
/// assert!(!consumer.covers(&europe));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scope {
    region: Option<String>,
    application: Option<String>,
    cluster: Option<String>,
}

impl Scope {
    /// The scope that leaves everything open. As a consumer's it is that of one who says nothing about itself, as stock
    /// consumers of `announced.version` do: what applies to a part of the fleet does not apply to it.
    pub fn everybody() -> Self {
        Self::default()
    }

    /// Whether what applies to this scope applies to `consumer`.
    pub fn covers(&self, consumer: &Self) -> bool {
        self.parts()
            .iter()
            .zip(consumer.parts())
            .all(|(given, theirs)| given.is_none() || *given == theirs)
    }

    /// Which of two scopes that cover one consumer is closer to it: the one with the greater number. A cluster counts more
    /// than an application, that more than a region. No two different scopes that cover one consumer have equal numbers.
    pub fn closeness(&self) -> u8 {
        self.parts()
            .iter()
            .enumerate()
            .map(|(at, part)| u8::from(part.is_some()) << at)
            .sum()
    }

    fn parts(&self) -> [Option<&str>; 3] {
        [
            self.region.as_deref(),
            self.application.as_deref(),
            self.cluster.as_deref(),
        ]
    }
}

impl FromStr for Scope {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Ok(Self::everybody());
        }
        let refused = || NameError {
            what: "scope",
            expected: "expected REGION/APPLICATION/CLUSTER, each a name of letters, digits, '.', '_' and '-', or '*'",
            text: text.to_owned(),
        };
        let mut parts = text.split('/').map(|part| {
            let is_name = (1..=100).contains(&part.len())
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            match part {
                "*" => Ok(None),
                name if is_name => Ok(Some(name.to_owned())),
                _ => Err(refused()),
            }
        });
        let mut next = || parts.next().unwrap_or_else(|| Err(refused()));
        let scope = Self {
            region: next()?,
            application: next()?,
            cluster: next()?,
        };
        if parts.next().is_some() {
            Err(refused())
        } else {
            Ok(scope)
        }
    }
}

impl TryFrom<String> for Scope {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    /// `*/*/*` for everybody.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [region, application, cluster] = self.parts().map(|part| part.unwrap_or("*"));
        write!(f, "{region}/{application}/{cluster}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let name: DatasetName = "preprod/live-ness_2".parse().unwrap();
        assert_eq!(
            (name.environment(), name.name()),
            ("preprod", "live-ness_2")
        );
        assert_eq!(name.to_string().parse(), Ok(name));
        for text in [
            "", "/", "a/", "/a", "a/b/c", "A", "prod/..", "prod/a b", "prod/.a",
        ] {
            assert!(text.parse::<DatasetName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn scopes() {
        for text in [
            "",
            "*/*/*",
            "eu/*/*",
            "*/search/*",
            "*/*/blue",
            "eu/search/blue",
        ] {
            let scope: Scope = text.parse().unwrap();
            assert_eq!(scope.to_string().parse(), Ok(scope));
        }
        for text in ["eu", "eu/search", "a/b/c/d", "a//c", "a/b c/d", "//"] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
        }
        let consumer: Scope = "eu/search/blue".parse().unwrap();
        let by_closeness = [
            "*/*/*",
            "eu/*/*",
            "*/search/*",
            "eu/search/*",
            "*/*/blue",
            "eu/*/blue",
            "*/search/blue",
            "eu/search/blue",
        ];
        for (at, text) in by_closeness.iter().enumerate() {
            let scope: Scope = text.parse().unwrap();
            assert!(scope.covers(&consumer), "{text}");
            assert_eq!(usize::from(scope.closeness()), at, "{text}");
            assert_eq!(scope.covers(&Scope::everybody()), at == 0, "{text}");
        }
        assert!(!"us/*/*".parse::<Scope>().unwrap().covers(&consumer));
    }
}
