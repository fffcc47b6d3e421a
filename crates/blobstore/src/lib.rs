//! Blobs by name with conditional writes: S3 or a directory.
