//! Names that only need to be told apart: rating systems, formats, profiles, protection systems.

use hashbrown::HashMap;

/// An interned name; meaningful only with the facts that made it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Name(u32);

/// The names seen so far.
#[derive(Clone, Debug, Default)]
pub struct Names {
    texts: Vec<String>,
    by_text: HashMap<String, Name>,
}

impl Names {
    /// The number of a name; a new one is added.
    pub fn intern(&mut self, text: &str) -> Name {
        if let Some(&name) = self.by_text.get(text) {
            return name;
        }
        let name = Name(self.texts.len() as u32);
        self.texts.push(text.to_owned());
        self.by_text.insert(text.to_owned(), name);
        name
    }

    /// The number of a name that has been seen.
    pub fn find(&self, text: &str) -> Option<Name> {
        self.by_text.get(text).copied()
    }

    /// The name of a number.
    pub fn text(&self, name: Name) -> &str {
        &self.texts[name.0 as usize]
    }
}
