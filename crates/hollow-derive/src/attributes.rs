//! The `#[hollow(...)]` attributes.

use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Result, Token, parenthesized};

/// Attributes of a struct or enum.
#[derive(Default)]
pub(crate) struct TypeAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) key: Option<Vec<LitStr>>,
}

impl TypeAttributes {
    pub(crate) fn parse(attributes: &[Attribute]) -> Result<Self> {
        let mut parsed = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("name") {
                parsed.name = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("key") {
                parsed.key = Some(paths(&meta)?);
            } else {
                return Err(meta.error("expected `name = \"...\"` or `key(\"...\")`"));
            }
            Ok(())
        })?;
        Ok(parsed)
    }
}

/// Attributes of a field or variant.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) shared: bool,
    pub(crate) type_name: Option<LitStr>,
    pub(crate) hash_key: Option<Vec<LitStr>>,
}

impl FieldAttributes {
    pub(crate) fn parse(attributes: &[Attribute], of_variant: bool) -> Result<Self> {
        let mut parsed = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("name") {
                parsed.name = Some(meta.value()?.parse()?);
            } else if of_variant {
                return Err(meta.error("expected `name = \"...\"`"));
            } else if meta.path.is_ident("shared") {
                parsed.shared = true;
            } else if meta.path.is_ident("type_name") {
                parsed.type_name = Some(meta.value()?.parse()?);
            } else if meta.path.is_ident("hash_key") {
                parsed.hash_key = Some(paths(&meta)?);
            } else {
                return Err(meta.error("expected `name`, `shared`, `type_name` or `hash_key`"));
            }
            Ok(())
        })?;
        Ok(parsed)
    }
}

fn each(
    attributes: &[Attribute],
    mut parse: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("hollow"))
        .try_for_each(|attribute| attribute.parse_nested_meta(&mut parse))
}

/// `("a", "b.c")`
fn paths(meta: &ParseNestedMeta<'_>) -> Result<Vec<LitStr>> {
    let content;
    parenthesized!(content in meta.input);
    let paths = Punctuated::<LitStr, Token![,]>::parse_terminated(&content)?;
    Ok(paths.into_iter().collect())
}

/// `lowerCamelCase` of a Rust field name.
pub(crate) fn camel_case(name: &str) -> String {
    let mut words = name
        .trim_start_matches("r#")
        .split('_')
        .filter(|word| !word.is_empty());
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::camel_case;

    #[test]
    fn names_as_java_has_them() {
        for (rust, java) in [
            ("id", "id"),
            ("go_live_at", "goLiveAt"),
            ("r#type", "type"),
            ("_x", "x"),
            ("a_1", "a1"),
        ] {
            assert_eq!(camel_case(rust), java);
        }
    }
}
