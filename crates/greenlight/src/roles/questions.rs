//! Questions to a running gatekeeper over HTTP: `GET /why?video=80057281&country=JP`.
//!
//! They are answered from the facts in memory, while cycles run, so an answer costs no more than the look at one video. The
//! change records behind the input records are not in memory; `greenlight why` finds them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use gatekeeper::{Answer, Desk};
use liveness::Country;
use serde::Serialize;

use super::http::json;

/// Where questions are answered, while the gatekeeper is this process's.
#[derive(Clone, Default)]
pub(super) struct Questions(Arc<Mutex<Option<Desk>>>);

impl Questions {
    pub(super) fn lock(&self) -> MutexGuard<'_, Option<Desk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no answer.
#[derive(Serialize)]
struct Refusal {
    error: String,
}

/// Answers `GET /why`.
pub(super) async fn why(questions: Shared<Questions>, uri: Uri) -> Response {
    let desk = questions.lock().clone();
    let query = uri.query().unwrap_or_default().to_owned();
    // It may have to wait for facts that change; the health pages must not.
    let answered = tokio::task::spawn_blocking(move || answer(desk, &query)).await;
    match answered {
        Ok(Ok(answer)) => json(StatusCode::OK, &answer),
        Ok(Err((status, error))) => json(status, &Refusal { error }),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn answer(desk: Option<Desk>, query: &str) -> Result<Answer, (StatusCode, String)> {
    let parameter = |wanted: &str| {
        let found = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == wanted);
        let refusal = format!("no {wanted} in the query; ask /why?video=ID-OR-TITLE&country=CODE");
        let found = found.map(|(_, value)| value.into_owned());
        found.ok_or((StatusCode::BAD_REQUEST, refusal))
    };
    let (video, country) = (parameter("video")?, parameter("country")?);
    let not_found = |error| (StatusCode::NOT_FOUND, error);
    let country = Country::from_code(&country)
        .ok_or_else(|| not_found(format!("{country:?} is no country code")))?;
    let waiting = "this process does not evaluate: another one does, or it has just started";
    let desk = desk.ok_or((StatusCode::SERVICE_UNAVAILABLE, waiting.to_owned()))?;
    let video = match desk.videos(&video).as_slice() {
        [video] => *video,
        [] if desk.version().is_none() => {
            let error = gatekeeper::Error::NothingYet.to_string();
            return Err((StatusCode::SERVICE_UNAVAILABLE, error));
        }
        [] => {
            return Err(not_found(format!(
                "no video has the id or the title {video:?}"
            )));
        }
        several => {
            let error = format!("{video:?} is the title of several videos: {several:?}");
            return Err((StatusCode::CONFLICT, error));
        }
    };
    desk.why(video, country).map_err(|error| match error {
        gatekeeper::Error::NothingYet => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()),
        other => not_found(other.to_string()),
    })
}
