//! The picture in `docs/ARCHITECTURE.md` is true only while the manifests agree with it; see `tests/`.
