//! Reports over diffs and history of datasets.
