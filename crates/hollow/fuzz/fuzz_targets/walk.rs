//! Reads everything that a state answers.

use hollow::ReadState;

/// Walks through the state; a defect that the checks let pass would panic here.
pub fn walk(state: &ReadState) {
    let mut record = Vec::new();
    for state in state.types() {
        assert_eq!(state.ordinals().count(), state.count());
        for ordinal in state.ordinals().take(500) {
            record.clear();
            state.serialize(ordinal, &mut record);
            if let Some(view) = state.object(ordinal) {
                let _ = format!("{view:?}");
            }
            if let Some(list) = state.list(ordinal) {
                assert_eq!(list.iter().count(), list.len());
            }
            if let Some(set) = state.set(ordinal) {
                assert_eq!(set.iter().count(), set.len());
                let _ = set.contains(ordinal);
            }
            if let Some(map) = state.map(ordinal) {
                assert_eq!(map.iter().count(), map.len());
                let _ = map.get(ordinal);
            }
        }
    }
    let _ = (state.checksum(), state.heap_bytes());
}
