//! The ten inputs by name.

use std::fmt;

/// One of the datasets that liveness is made of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Input {
    /// What videos are and how they hang together.
    Titles,
    /// Licence windows.
    Rights,
    /// Maturity ratings.
    Ratings,
    /// Titles and synopses by language.
    Texts,
    /// Subtitles, dubs, captions and descriptions.
    Assets,
    /// Pictures by language.
    Artwork,
    /// Encodes.
    Streams,
    /// What countries ask.
    Policies,
    /// Orders to keep videos off.
    Holds,
    /// Hours viewed.
    Popularity,
}

impl Input {
    /// All of them.
    pub const ALL: [Input; 10] = [
        Input::Titles,
        Input::Rights,
        Input::Ratings,
        Input::Texts,
        Input::Assets,
        Input::Artwork,
        Input::Streams,
        Input::Policies,
        Input::Holds,
        Input::Popularity,
    ];

    /// The dataset's name, without an environment.
    pub fn name(self) -> &'static str {
        match self {
            Input::Titles => "titles",
            Input::Rights => "rights",
            Input::Ratings => "ratings",
            Input::Texts => "texts",
            Input::Assets => "assets",
            Input::Artwork => "artwork",
            Input::Streams => "streams",
            Input::Policies => "policies",
            Input::Holds => "holds",
            Input::Popularity => "popularity",
        }
    }

    /// The dataset's root type.
    pub fn type_name(self) -> &'static str {
        match self {
            Input::Titles => "Title",
            Input::Rights => "Rights",
            Input::Ratings => "Ratings",
            Input::Texts => "Text",
            Input::Assets => "Asset",
            Input::Artwork => "Artwork",
            Input::Streams => "Streams",
            Input::Policies => "Policy",
            Input::Holds => "Hold",
            Input::Popularity => "Popularity",
        }
    }

    /// The input of a dataset's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|input| input.name() == name)
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
