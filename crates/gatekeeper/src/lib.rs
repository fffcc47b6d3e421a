//! The evaluation cycle: pin inputs, evaluate every video in every country, publish liveness.
