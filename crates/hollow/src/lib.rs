//! The dataset engine: compact, versioned, in-memory states, byte-compatible with Netflix Hollow.
