//! The domain: facts about a video, country policy, rules, verdicts. Pure functions.
