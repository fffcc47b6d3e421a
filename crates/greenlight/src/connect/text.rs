//! Values of configuration files that may come from the environment, so that one file serves every machine.
//!
//! `${NAME}` stands for the variable's value, `${NAME:-default}` for the default where it is unset or empty, `$$` for a
//! dollar sign. A variable that is missing is a mistake at its place in the file, like any other.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

/// A text in which variables are replaced.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Text(String);

impl Text {
    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// A text from elsewhere, with its variables replaced.
    ///
    /// # Errors
    /// In words, for people.
    pub(crate) fn replaced(text: &str) -> Result<Self, String> {
        replace(text, &|name: &str| std::env::var(name).ok()).map(Self)
    }

    /// The text as a path; a relative one is taken from `base`.
    pub(crate) fn path(&self, base: &Path) -> PathBuf {
        base.join(&self.0)
    }
}

impl From<Text> for String {
    fn from(text: Text) -> Self {
        text.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Text {
    // It may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text(…)")
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let variable = |name: &str| std::env::var(name).ok();
        replace(&text, &variable)
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// Replaces the variables of a text.
fn replace(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        replaced.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            replaced.push('$');
            rest = after;
            continue;
        }
        let closed = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let Some((inside, after)) = closed else {
            return Err(
                "a `$` begins `${NAME}` or `${NAME:-default}`; write `$$` for a dollar sign"
                    .to_owned(),
            );
        };
        rest = after;
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        match (variable(name).filter(|value| !value.is_empty()), default) {
            (Some(value), _) => replaced.push_str(&value),
            (None, Some(default)) => replaced.push_str(default),
            (None, None) => {
                return Err(format!(
                    "the environment variable {name} is not set; set it, or write `${{{name}:-default}}`"
                ));
            }
        }
    }
    replaced.push_str(rest);
    Ok(replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let variable = |name: &str| match name {
            "HOST" => Some("kafka".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        match (replace(text, &variable), expected) {
            (Ok(replaced), Ok(expected)) => assert_eq!(replaced, expected, "{text}"),
            (Err(message), Err(words)) => assert!(message.contains(words), "{text}: {message}"),
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        }
    }

    #[test]
    fn variables_are_replaced() {
        check("plain", Ok("plain"));
        check("${HOST}:9092", Ok("kafka:9092"));
        check("${HOST:-localhost}:9092", Ok("kafka:9092"));
        check("${NONE:-localhost}:9092", Ok("localhost:9092"));
        check("${EMPTY:-x}${NONE:-}", Ok("x"));
        check("http://${NONE:-s3:8333}/b", Ok("http://s3:8333/b"));
        check("pa$$word", Ok("pa$word"));
        check("${NONE}", Err("NONE is not set"));
        check("${EMPTY}", Err("EMPTY is not set"));
        check("$HOST", Err("`$$`"));
        check("${HOST", Err("`$$`"));
    }
}
