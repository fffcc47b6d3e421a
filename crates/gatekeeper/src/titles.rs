//! What videos are called, by a view of `titles` that is indexed by [`Input::type_name`].

use dataset::View;
use hollow::{KeyValue, ObjectView};

use crate::input::Input;

/// The original title of a video; `None` where there is no such record.
pub fn title(view: &View, video: i64) -> Option<String> {
    let type_name = Input::Titles.type_name();
    let ordinal = view.find(type_name, &[KeyValue::Long(video)])?;
    let record = view.state().type_state(type_name)?.object(ordinal)?;
    original_title(&record)
}

/// The videos whose original title is the given one, case ignored, by id.
pub fn videos_titled(view: &View, title: &str) -> Vec<i64> {
    let records = view.state().type_state(Input::Titles.type_name());
    let wanted = title.to_lowercase();
    let mut videos: Vec<i64> = records
        .into_iter()
        .flat_map(|records| records.ordinals().filter_map(|at| records.object(at)))
        .filter(|record| original_title(record).is_some_and(|title| title.to_lowercase() == wanted))
        .filter_map(|record| record.long(record.field_index("video")?))
        .collect();
    videos.sort_unstable();
    videos
}

fn original_title(record: &ObjectView<'_>) -> Option<String> {
    let title = record.string(record.field_index("originalTitle")?)?;
    Some(title.to_string())
}
