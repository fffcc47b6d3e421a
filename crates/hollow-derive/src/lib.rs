//! #[derive(HollowRecord)]: typed records of the hollow crate.
