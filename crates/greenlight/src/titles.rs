//! What videos are called, from the newest state of `titles`.

use std::collections::BTreeSet;
use std::sync::Arc;

use dataset::{SubscriberOptions, View};
use gatekeeper::Input;
use registry::DatasetName;

use crate::connect::Connected;
use crate::error::{Error, Result};

/// The titles of an environment; none where `titles` has no state.
pub(crate) struct Titles {
    view: Option<Arc<View>>,
}

impl Titles {
    /// Loads the newest state of an environment.
    pub(crate) fn load(connected: &Connected, environment: &str) -> Self {
        let options = SubscriberOptions {
            indexes: BTreeSet::from([Input::Titles.type_name().to_owned()]),
            ..SubscriberOptions::default()
        };
        let name = format!("{environment}/{}", Input::Titles).parse::<DatasetName>();
        let moved = name
            .ok()
            .and_then(|name| connected.subscriber(&name, options).refresh().ok());
        Self {
            view: moved.map(|moved| moved.after),
        }
    }

    /// The original title of a video; empty where there is none.
    pub(crate) fn title(&self, video: i64) -> String {
        let view = self.view.as_ref();
        view.and_then(|view| gatekeeper::titles::title(view, video))
            .unwrap_or_default()
    }

    /// The video of an id or an original title.
    pub(crate) fn video(&self, text: &str) -> Result<i64> {
        if let Ok(id) = text.parse() {
            return Ok(id);
        }
        let view = self.view.as_ref();
        let titled = view.map(|view| gatekeeper::titles::videos_titled(view, text));
        one_video(text, &titled.unwrap_or_default())
    }
}

/// The one video that was found for a title.
pub(crate) fn one_video(text: &str, videos: &[i64]) -> Result<i64> {
    match videos {
        [video] => Ok(*video),
        [] => Err(Error::UnknownVideo(text.to_owned())),
        videos => Err(Error::AmbiguousTitle {
            title: text.to_owned(),
            videos: videos.to_vec(),
        }),
    }
}
