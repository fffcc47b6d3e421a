//! How much a video matters: the hours it was viewed, from the newest state of `popularity`.

use dataset::{SubscriberOptions, View};
use hollow::KeyValue;
use registry::DatasetName;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::connect::Connected;

const TYPE: &str = "Popularity";

/// The hours viewed by video; nothing where `popularity` has no state.
pub(crate) struct Popularity {
    view: Option<Arc<View>>,
}

impl Popularity {
    /// Loads the newest state of an environment.
    pub(crate) fn load(connected: &Connected, environment: &str) -> Self {
        let options = SubscriberOptions {
            indexes: BTreeSet::from([TYPE.to_owned()]),
            ..SubscriberOptions::default()
        };
        let name = format!("{environment}/popularity").parse::<DatasetName>();
        let moved = name
            .ok()
            .and_then(|name| connected.subscriber(&name, options).refresh().ok());
        Self {
            view: moved.map(|moved| moved.after),
        }
    }

    /// Hours viewed; 0 where nobody counted them.
    pub(crate) fn hours(&self, video: i64) -> u64 {
        let hours = || {
            let view = self.view.as_ref()?;
            let ordinal = view.find(TYPE, &[KeyValue::Long(video)])?;
            let record = view.state().type_state(TYPE)?.object(ordinal)?;
            u64::try_from(record.long(record.field_index("hoursViewed")?)?).ok()
        };
        hours().unwrap_or(0)
    }
}
