//! The rules, one small file each.
//!
//! A new rule is a file here and a line in [`ALL`]. A rule keeps its place in the list: the place
//! is its bit.

mod artwork_missing;
mod dub_missing;
mod dub_not_licensed;
mod family_no_children;
mod family_no_parent;
mod family_none_live;
mod hold_active;
mod rating_missing;
mod rating_too_high;
mod rights_no_window;
mod streams_missing;
mod subtitles_missing;
mod subtitles_not_licensed;
mod text_no_synopsis;
mod text_no_title;

use crate::configuration::{Parameter, Value};
use crate::rule::Rule;

/// Every rule there is.
pub static ALL: [&Rule; 15] = [
    &rights_no_window::RULE,
    &hold_active::RULE,
    &rating_missing::RULE,
    &rating_too_high::RULE,
    &text_no_title::RULE,
    &text_no_synopsis::RULE,
    &subtitles_missing::RULE,
    &subtitles_not_licensed::RULE,
    &dub_missing::RULE,
    &dub_not_licensed::RULE,
    &artwork_missing::RULE,
    &streams_missing::RULE,
    &family_no_parent::RULE,
    &family_no_children::RULE,
    &family_none_live::RULE,
];

const _: () = assert!(ALL.len() <= 32, "a set of blockers is 32 bits");

/// The parameter of rules about texts and pictures: whether a language may be replaced by what it
/// falls back to.
const FALLS_BACK: Parameter = Parameter {
    name: "fallback",
    summary: "whether what a language falls back to (es-MX: es-419, es) will do as well",
    default: || Value::Flag(true),
};

/// The same parameter of rules about tracks, where the variant itself is wanted by default.
const TRACK_FALLS_BACK: Parameter = Parameter {
    name: "fallback",
    summary: "whether a track in what a language falls back to (es-MX: es-419, es) will do as well",
    default: || Value::Flag(false),
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guide_knows_every_rule_and_its_owner() {
        let guide = include_str!("../../../../docs/liveness.md");
        for rule in ALL {
            let row = format!("| `{}` |", rule.code);
            let row = guide.lines().find(|line| line.starts_with(&row));
            let row = row.unwrap_or_else(|| panic!("docs/liveness.md lacks {}", rule.code));
            assert!(row.ends_with(&format!("| {} |", rule.owner)), "{row}");
        }
    }
}
