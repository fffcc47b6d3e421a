//! Which rules are on and how they are set: plain data.
//!
//! Every state records the whole configuration that decided it, so that a past cycle can be
//! evaluated again and a what-if needs no build. The fingerprint is equal exactly when two
//! configurations, defaults included, name the same rules at the same revisions.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_128;

use crate::rules::ALL;
use crate::tracks;
use crate::{Error, Result};

/// The value of a parameter.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// A list of names.
    Names(Vec<String>),
}

impl Value {
    fn kind(&self) -> &'static str {
        match self {
            Value::Flag(_) => "true or false",
            Value::Number(_) => "a whole number",
            Value::Names(_) => "a list of names",
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Flag(flag) => write!(f, "{flag}"),
            Value::Number(number) => write!(f, "{number}"),
            Value::Names(names) => write!(f, "{names:?}"),
        }
    }
}

/// Something about a rule that can be set.
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub summary: &'static str,
    /// Its value where the configuration gives none.
    pub default: fn() -> Value,
}

/// A rule's part of the configuration.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RuleConfiguration {
    /// Whether the rule blocks anything.
    #[serde(default = "on")]
    pub enabled: bool,
    /// The parameters that are set.
    #[serde(flatten)]
    pub parameters: BTreeMap<String, Value>,
}

fn on() -> bool {
    true
}

/// Which rules are on, and their parameters; what is not named has its default.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// By rule code.
    #[serde(default)]
    pub rules: BTreeMap<String, RuleConfiguration>,
}

impl Configuration {
    /// The same configuration with every rule and every parameter spelled out.
    ///
    /// # Errors
    /// [`Error::UnknownRule`], [`Error::UnknownParameter`], [`Error::ParameterKind`] name what
    /// does not fit.
    pub fn complete(&self) -> Result<Configuration> {
        for code in self.rules.keys() {
            if !ALL.iter().any(|rule| rule.code == code) {
                return Err(Error::UnknownRule {
                    code: code.clone(),
                    known: ALL.map(|rule| rule.code).join(", "),
                });
            }
        }
        let mut rules = BTreeMap::new();
        for rule in ALL {
            let mut parameters: BTreeMap<String, Value> = rule
                .parameters
                .iter()
                .map(|parameter| (parameter.name.to_owned(), (parameter.default)()))
                .collect();
            let given = self.rules.get(rule.code);
            for (name, value) in given.iter().flat_map(|given| &given.parameters) {
                let Some(default) = parameters.get_mut(name) else {
                    let known: Vec<&str> = rule.parameters.iter().map(|known| known.name).collect();
                    return Err(Error::UnknownParameter {
                        code: rule.code.to_owned(),
                        parameter: name.clone(),
                        known: match known.is_empty() {
                            true => "none".to_owned(),
                            false => known.join(", "),
                        },
                    });
                };
                if default.kind() != value.kind() {
                    return Err(Error::ParameterKind {
                        code: rule.code.to_owned(),
                        parameter: name.clone(),
                        expected: default.kind(),
                        found: value.to_string(),
                    });
                }
                *default = value.clone();
            }
            let enabled = given.is_none_or(|given| given.enabled);
            let complete = RuleConfiguration {
                enabled,
                parameters,
            };
            rules.insert(rule.code.to_owned(), complete);
        }
        Ok(Configuration { rules })
    }

    /// 128 bits over all rules, their revisions and their parameters, and the revision of what is
    /// asked of tracks; as 32 hex digits.
    ///
    /// # Errors
    /// As [`Configuration::complete`].
    pub fn fingerprint(&self) -> Result<String> {
        let complete = self.complete()?;
        let mut text = format!("tracks {}\n", tracks::REVISION);
        for rule in ALL {
            let configuration = &complete.rules[rule.code];
            let _ = write!(text, "{} {} ", rule.code, rule.revision);
            let _ = write!(text, "{}", configuration.enabled);
            for (name, value) in &configuration.parameters {
                let _ = write!(text, " {name}={value}");
            }
            text.push('\n');
        }
        Ok(format!("{:032x}", xxh3_128(text.as_bytes())))
    }
}

/// The parameters of one rule, complete.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Settings {
    all: BTreeMap<String, Value>,
    /// The flag that is asked for most, of every language of every need.
    falls_back: bool,
}

impl Settings {
    pub(crate) fn new(parameters: BTreeMap<String, Value>) -> Self {
        let mut settings = Self {
            all: parameters,
            falls_back: false,
        };
        settings.falls_back = settings.flag("fallback");
        settings
    }

    /// Whether a flag is set; false for a rule without it.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.all.get(name), Some(Value::Flag(true)))
    }

    /// The flag `fallback`: whether what a language falls back to will do as well.
    pub(crate) fn falls_back(&self) -> bool {
        self.falls_back
    }

    /// A list of names; empty for a rule without it.
    pub fn names(&self, name: &str) -> &[String] {
        match self.all.get(name) {
            Some(Value::Names(names)) => names,
            _ => &[],
        }
    }

    /// A number; `None` for a rule without it.
    pub fn number(&self, name: &str) -> Option<i64> {
        match self.all.get(name) {
            Some(Value::Number(number)) => Some(*number),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(json: &str) -> Configuration {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn defaults_spelled_out_are_the_same_configuration() {
        let plain = Configuration::default();
        let complete = plain.complete().unwrap();
        assert_eq!(complete.rules.len(), ALL.len());
        assert_eq!(plain.fingerprint(), complete.fingerprint());
        assert_eq!(complete.complete().unwrap(), complete);
        let json = serde_json::to_string(&complete).unwrap();
        assert_eq!(configuration(&json), complete);
    }

    #[test]
    fn every_setting_counts_in_the_fingerprint() {
        let plain = Configuration::default().fingerprint();
        for json in [
            r#"{"rules": {"hold.active": {"enabled": false}}}"#,
            r#"{"rules": {"text.no-title": {"fallback": false}}}"#,
            r#"{"rules": {"streams.missing": {"profiles": ["uhd"]}}}"#,
        ] {
            assert_ne!(configuration(json).fingerprint(), plain, "{json}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let refused = |json: &str| configuration(json).complete().unwrap_err().to_string();
        assert!(refused(r#"{"rules": {"hold": {}}}"#).starts_with("there is no rule `hold`"));
        let message = refused(r#"{"rules": {"hold.active": {"fallback": true}}}"#);
        assert!(
            message.contains("`hold.active` has no parameter `fallback`"),
            "{message}"
        );
        let message = refused(r#"{"rules": {"text.no-title": {"fallback": 3}}}"#);
        assert!(message.contains("takes true or false, not 3"), "{message}");
    }
}
