//! Where blobs lie: the names that stock Hollow consumers understand, below the dataset's name, and the candidates' place
//! where none of them looks.

use registry::{DatasetName, Version};

/// The blob that tells stock consumers the latest version: its decimal digits, nothing else.
pub const ANNOUNCED_NAME: &str = "announced.version";

/// The key of a blob of the dataset.
pub fn blob_key(dataset: &DatasetName, name: &str) -> String {
    format!("{dataset}/{name}")
}

/// Where the blobs of a candidate lie; ends with `/`.
pub fn candidate_prefix(dataset: &DatasetName, version: Version, epoch: u64) -> String {
    format!("{dataset}/candidates/{version}-{epoch}/")
}

/// `snapshot-TO`, or `snapshot_PART-TO` for an optional part.
pub fn snapshot_name(part: Option<&str>, to: Version) -> String {
    format!("{}-{to}", with_part("snapshot", part))
}

/// `delta-FROM-TO`, or `delta_PART-FROM-TO` for an optional part.
pub fn delta_name(part: Option<&str>, from: Version, to: Version) -> String {
    format!("{}-{from}-{to}", with_part("delta", part))
}

/// `reversedelta-FROM-TO` with `from` > `to`, or `reversedelta_PART-FROM-TO` for an optional part.
pub fn reverse_delta_name(part: Option<&str>, from: Version, to: Version) -> String {
    format!("{}-{from}-{to}", with_part("reversedelta", part))
}

fn with_part(kind: &str, part: Option<&str>) -> String {
    part.map_or_else(|| kind.to_owned(), |part| format!("{kind}_{part}"))
}

/// The versions of main snapshots among the keys of a listing, ascending. Keys of anything else are passed over.
pub fn versions_in_snapshot_names<'a>(
    dataset: &DatasetName,
    keys: impl Iterator<Item = &'a str>,
) -> Vec<Version> {
    let prefix = blob_key(dataset, "snapshot-");
    let mut versions: Vec<Version> = keys
        .filter_map(|key| key.strip_prefix(&prefix)?.parse().ok())
        .collect();
    versions.sort_unstable();
    versions
}

/// The version and epoch in the key of a candidate's blob.
pub(crate) fn candidate_of(dataset: &DatasetName, key: &str) -> Option<(Version, u64)> {
    let rest = key
        .strip_prefix(dataset.as_str())?
        .strip_prefix("/candidates/")?;
    let (version, epoch) = rest.split_once('/')?.0.split_once('-')?;
    Some((version.parse().ok()?, epoch.parse().ok()?))
}

/// Whether the blob of that name is an optional part's: those become visible before their main blob does.
pub(crate) fn is_part(name: &str) -> bool {
    name.split('-')
        .next()
        .is_some_and(|kind| kind.contains('_'))
}

/// The part in a blob's name, if it is an optional part's.
pub(crate) fn part_of(name: &str) -> Option<&str> {
    let kinds = ["snapshot_", "delta_", "reversedelta_"];
    let rest = kinds.iter().find_map(|kind| name.strip_prefix(kind))?;
    rest.split_once('-').map(|(part, _)| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_stock_hollow() {
        let (from, to) = (Version(6), Version(7));
        assert_eq!(snapshot_name(None, to), "snapshot-7");
        assert_eq!(snapshot_name(Some("fold"), to), "snapshot_fold-7");
        assert_eq!(delta_name(None, from, to), "delta-6-7");
        assert_eq!(delta_name(Some("fold"), from, to), "delta_fold-6-7");
        assert_eq!(reverse_delta_name(None, to, from), "reversedelta-7-6");
        assert_eq!(
            reverse_delta_name(Some("fold"), to, from),
            "reversedelta_fold-7-6"
        );
    }

    #[test]
    fn names_are_read_back() {
        let dataset: DatasetName = "liveness".parse().unwrap();
        let keys = [
            "prod/liveness/snapshot-10",
            "prod/liveness/snapshot-9",
            "prod/liveness/snapshot_fold-9",
            "prod/liveness/x",
        ];
        assert_eq!(
            versions_in_snapshot_names(&dataset, keys.into_iter()),
            [Version(9), Version(10)]
        );
        let key = format!("{}delta-6-7", candidate_prefix(&dataset, Version(7), 3));
        assert_eq!(key, "prod/liveness/candidates/7-3/delta-6-7");
        assert_eq!(candidate_of(&dataset, &key), Some((Version(7), 3)));
        assert_eq!(candidate_of(&dataset, "prod/liveness/delta-6-7"), None);
        assert!(is_part("delta_fold-6-7") && !is_part("delta-6-7"));
        assert_eq!(part_of("reversedelta_fold-7-6"), Some("fold"));
        assert_eq!(part_of("reversedelta-7-6"), None);
    }
}
