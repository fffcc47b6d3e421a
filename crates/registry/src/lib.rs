//! Versions, scopes, pins and consumers: a deterministic state machine over a log.
