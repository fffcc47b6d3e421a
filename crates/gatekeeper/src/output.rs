//! The `liveness` dataset: a record per video with its groups of countries.
//!
//! The types are plain enough for a stock Java consumer:
//!
//! ```text
//! Liveness @PrimaryKey(video) { long video; ListOfGroup groups; }
//! Group { boolean live; SetOfCountry countries; SetOfBlocker blockers; SetOfAsset assets;
//!         long nextAt; boolean nextLive; SetOfAsset nextAssets; }
//! Country { string code; }      Blocker { string code; }      Asset { string kind; string language; }
//! ```
//!
//! `assets` are the tracks that are live. `nextAt` (ms), `nextLive` and `nextAssets` are null where
//! the verdict does not change by itself. A set is one record however many groups have it.

mod kept;
mod known;
mod verdicts;
mod writer;

use hollow::schema::{Field, FieldType, ListSchema, ObjectSchema, Schema, SetSchema};

pub(crate) use known::Known;
pub use verdicts::Verdicts;
pub(crate) use writer::Writer;

/// The dataset's name, without an environment.
pub const NAME: &str = "liveness";

/// The root type.
pub const ROOT_TYPE: &str = "Liveness";

const LIST: &str = "ListOfGroup";
const GROUP: &str = "Group";
const COUNTRY: &str = "Country";
const BLOCKER: &str = "Blocker";
const ASSET: &str = "Asset";
const COUNTRY_SET: &str = "SetOfCountry";
const BLOCKER_SET: &str = "SetOfBlocker";
const ASSET_SET: &str = "SetOfAsset";

/// The schemas of `liveness`.
pub fn schemas() -> Vec<Schema> {
    let field = |name: &str, field_type, referenced: Option<&str>| Field {
        name: name.to_owned(),
        field_type,
        referenced_type: referenced.map(str::to_owned),
    };
    let object = |name: &str, key: Option<&str>, fields| {
        Schema::Object(ObjectSchema {
            name: name.to_owned(),
            primary_key: key.map(|key| vec![key.to_owned()]),
            fields,
        })
    };
    let set = |element: &str| {
        Schema::Set(SetSchema {
            name: format!("SetOf{element}"),
            element_type: element.to_owned(),
            hash_key: None,
        })
    };
    let code = || vec![field("code", FieldType::String, None)];
    vec![
        object(
            ROOT_TYPE,
            Some("video"),
            vec![
                field("video", FieldType::Long, None),
                field("groups", FieldType::Reference, Some(LIST)),
            ],
        ),
        Schema::List(ListSchema {
            name: LIST.to_owned(),
            element_type: GROUP.to_owned(),
        }),
        object(
            GROUP,
            None,
            vec![
                field("live", FieldType::Boolean, None),
                field("countries", FieldType::Reference, Some("SetOfCountry")),
                field("blockers", FieldType::Reference, Some("SetOfBlocker")),
                field("assets", FieldType::Reference, Some("SetOfAsset")),
                field("nextAt", FieldType::Long, None),
                field("nextLive", FieldType::Boolean, None),
                field("nextAssets", FieldType::Reference, Some("SetOfAsset")),
            ],
        ),
        set(COUNTRY),
        object(COUNTRY, None, code()),
        set(BLOCKER),
        object(BLOCKER, None, code()),
        set(ASSET),
        object(
            ASSET,
            None,
            vec![
                field("kind", FieldType::String, None),
                field("language", FieldType::String, None),
            ],
        ),
    ]
}
