//! What the tests against stock Java Hollow share: starting the Java side, random chains, and blobs by stock names.
//!
//! The promise of the dataset engine is that any Java service can follow what we publish and that we can follow what it
//! publishes. Only the real thing can show that, so these tests run it.

pub mod blobs;
pub mod java;
pub mod model;
pub mod random;
