//! Publisher and subscriber of one dataset: stage, verify, guard, accept, promote, announce.
