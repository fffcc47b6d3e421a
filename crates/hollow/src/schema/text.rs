//! The text form of schemas: what people write and read, and what the schema hash is taken over.

use super::{Field, FieldType, ListSchema, MapSchema, ObjectSchema, Schema, SetSchema};
use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schema::Object(schema) => {
                f.write_str(&schema.name)?;
                write_key(f, "@PrimaryKey", schema.primary_key.as_deref())?;
                f.write_str(" {\n")?;
                for field in &schema.fields {
                    let word = field
                        .referenced_type
                        .as_deref()
                        .unwrap_or(field.field_type.word());
                    writeln!(f, "\t{word} {};", field.name)?;
                }
                f.write_str("}")
            }
            Schema::List(schema) => write!(f, "{} List<{}>;", schema.name, schema.element_type),
            Schema::Set(schema) => {
                write!(f, "{} Set<{}>", schema.name, schema.element_type)?;
                write_key(f, "@HashKey", schema.hash_key.as_deref())?;
                f.write_str(";")
            }
            Schema::Map(schema) => {
                write!(
                    f,
                    "{} Map<{},{}>",
                    schema.name, schema.key_type, schema.value_type
                )?;
                write_key(f, "@HashKey", schema.hash_key.as_deref())?;
                f.write_str(";")
            }
        }
    }
}

fn write_key(f: &mut fmt::Formatter<'_>, mark: &str, paths: Option<&[String]>) -> fmt::Result {
    match paths {
        Some(paths) => write!(f, " {mark}({})", paths.join(", ")),
        None => Ok(()),
    }
}

impl FromStr for Schema {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0 };
        let schema = parser.schema()?;
        parser.blank();
        if parser.at < text.len() {
            Err(parser.expected("the end"))
        } else {
            Ok(schema)
        }
    }
}

/// Parses any number of schemas. Blanks are free; `//` and `/* */` comments are passed over.
///
/// # Errors
/// [`Error::SchemaText`], with the position; also for two types of one name.
pub fn parse_schemas(text: &str) -> Result<Vec<Schema>> {
    let mut parser = Parser { text, at: 0 };
    let mut schemas: Vec<Schema> = Vec::new();
    let mut names = std::collections::HashSet::new();
    loop {
        parser.blank();
        if parser.at == text.len() {
            return Ok(schemas);
        }
        let at = parser.at;
        let schema = parser.schema()?;
        if !names.insert(schema.name().to_owned()) {
            return Err(Error::SchemaText {
                at,
                message: format!("type {} is defined twice", schema.name()),
            });
        }
        schemas.push(schema);
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blank(&mut self) {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_start();
            self.at += rest.len() - trimmed.len();
            let comment = if trimmed.starts_with("//") {
                trimmed.find('\n').unwrap_or(trimmed.len())
            } else if trimmed.starts_with("/*") {
                trimmed.find("*/").map_or(trimmed.len(), |end| end + 2)
            } else {
                return;
            };
            self.at += comment;
        }
    }

    fn expected(&self, what: &str) -> Error {
        let found: String = self.rest().chars().take(12).collect();
        let found = if found.is_empty() {
            "the end".to_owned()
        } else {
            format!("`{}`", found.escape_debug())
        };
        Error::SchemaText {
            at: self.at,
            message: format!("{what} expected, found {found}"),
        }
    }

    fn eat(&mut self, token: &str) -> bool {
        self.blank();
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.expected(&format!("`{token}`")))
        }
    }

    fn word(&mut self, what: &str, extra: &[char]) -> Result<&'a str> {
        self.blank();
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$' || extra.contains(&c)))
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(self.expected(what));
        }
        self.at += end;
        Ok(&rest[..end])
    }

    fn name(&mut self, what: &str) -> Result<String> {
        // Nested classes give names such as `Outer.Inner`.
        self.word(what, &['.']).map(str::to_owned)
    }

    fn key(&mut self, mark: &str) -> Result<Option<Vec<String>>> {
        if !self.eat(mark) {
            return Ok(None);
        }
        self.expect("(")?;
        let mut paths = Vec::new();
        if self.eat(")") {
            return Ok(Some(paths));
        }
        loop {
            paths.push(self.word("a key path", &['.', '!'])?.to_owned());
            if self.eat(")") {
                return Ok(Some(paths));
            }
            self.expect(",")?;
        }
    }

    fn schema(&mut self) -> Result<Schema> {
        let name = self.name("a type name")?;
        self.blank();
        if self.rest().starts_with(['{', '@']) {
            return self.object(name);
        }
        let kind_at = self.at;
        match self.word("`{`, `List`, `Set` or `Map`", &[])? {
            "List" => {
                self.expect("<")?;
                let element_type = self.name("an element type")?;
                self.expect(">")?;
                self.expect(";")?;
                Ok(Schema::List(ListSchema { name, element_type }))
            }
            "Set" => {
                self.expect("<")?;
                let element_type = self.name("an element type")?;
                self.expect(">")?;
                let hash_key = self.key("@HashKey")?;
                self.expect(";")?;
                Ok(Schema::Set(SetSchema {
                    name,
                    element_type,
                    hash_key,
                }))
            }
            "Map" => {
                self.expect("<")?;
                let key_type = self.name("a key type")?;
                self.expect(",")?;
                let value_type = self.name("a value type")?;
                self.expect(">")?;
                let hash_key = self.key("@HashKey")?;
                self.expect(";")?;
                Ok(Schema::Map(MapSchema {
                    name,
                    key_type,
                    value_type,
                    hash_key,
                }))
            }
            _ => {
                self.at = kind_at;
                Err(self.expected("`{`, `List`, `Set` or `Map`"))
            }
        }
    }

    fn object(&mut self, name: String) -> Result<Schema> {
        let primary_key = self.key("@PrimaryKey")?;
        self.expect("{")?;
        let mut fields: Vec<Field> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while !self.eat("}") {
            let word = self.name("a field's type")?;
            let at = self.at;
            let field_name = self.name("a field's name")?;
            self.expect(";")?;
            if !names.insert(field_name.clone()) {
                return Err(Error::SchemaText {
                    at,
                    message: format!("field {field_name} is defined twice"),
                });
            }
            let plain = FieldType::ALL
                .into_iter()
                .find(|t| t.word() == word && *t != FieldType::Reference);
            fields.push(match plain {
                Some(field_type) => Field::new(field_name, field_type),
                None => Field::reference(field_name, word),
            });
        }
        Ok(Schema::Object(ObjectSchema {
            name,
            primary_key,
            fields,
        }))
    }
}
