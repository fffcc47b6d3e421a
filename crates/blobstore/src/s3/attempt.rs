//! Sending a request until it is answered or its budget is spent.
//!
//! The client's own retries are off: they don't tell whether an attempt before the last one may have been carried out, and
//! for a conditional write that is the question. An answer that was lost and a write that was refused look alike to the
//! second attempt.

use std::collections::hash_map::RandomState;
use std::error::Error as StdError;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStreamError;

use super::S3Options;

/// The pause before the second attempt; it doubles with each further one, and the real one is drawn between half of it
/// and the whole.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What the server's (or nobody's) answer means for the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A condition of the request does not hold.
    Refused,
    /// There is no such object.
    Absent,
    /// There is no such multipart upload: completed, or aborted.
    NoUpload,
    /// The server has no space left.
    Full,
    /// The range asked for is none of the object's.
    Range,
    /// The same request may succeed later.
    Passing,
    /// The same request fails again.
    Lasting,
}

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Attempt {
    kind: Kind,
    /// The server may have done what was asked.
    maybe_done: bool,
    text: String,
}

/// A request that failed, after all its attempts.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    /// One of the attempts may have been carried out.
    pub(super) maybe_done: bool,
    attempts: u32,
    elapsed: Duration,
    text: String,
}

impl Attempt {
    /// An answer that makes no sense, or content that is damaged.
    pub(super) fn passing(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Passing,
            maybe_done: true,
            text: text.into(),
        }
    }

    /// An attempt to copy: it is the source of which a condition did not hold, so what was to be copied is not there any more.
    pub(super) fn of_source(mut self) -> Self {
        if self.kind == Kind::Refused {
            self.kind = Kind::Absent;
        }
        self
    }
}

/// Sends until an attempt succeeds, fails for good, or the budget is spent.
pub(super) async fn persist<T, F>(options: &S3Options, send: impl Fn() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, Attempt>>,
{
    let started = Instant::now();
    let mut maybe_done = false;
    let mut pause = PAUSE_FIRST;
    let mut attempts = 0;
    loop {
        attempts += 1;
        let left = options.operation_timeout.saturating_sub(started.elapsed());
        let limit = left.min(options.attempt_timeout);
        let attempt = match tokio::time::timeout(limit, send()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(attempt)) => attempt,
            Err(_) => Attempt::passing(format!("no answer within {:.1} s", limit.as_secs_f64())),
        };
        maybe_done |= attempt.maybe_done;
        let wait = pause.mul_f64(0.5 + 0.5 * fraction());
        let spent = started.elapsed() + wait >= options.operation_timeout;
        if attempt.kind != Kind::Passing || attempts >= options.attempts_max || spent {
            return Err(Failure {
                kind: attempt.kind,
                maybe_done,
                attempts,
                elapsed: started.elapsed(),
                text: attempt.text,
            });
        }
        tracing::debug!(attempts, error = attempt.text, "repeat a request to S3");
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// 64 bits that nobody else draws. They time pauses and name attempts; no state depends on them.
pub(super) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn fraction() -> f64 {
    (random() >> 11) as f64 / (1_u64 << 53) as f64
}

impl<E> From<SdkError<E, HttpResponse>> for Attempt
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    fn from(error: SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().map(|answer| answer.status().as_u16());
        let code = error.code();
        let kind = match (&error, status, code) {
            (SdkError::ConstructionFailure(_), ..) => Kind::Lasting,
            (SdkError::DispatchFailure(failure), ..) if failure.is_user() => Kind::Lasting,
            (SdkError::TimeoutError(_) | SdkError::DispatchFailure(_), ..) => Kind::Passing,
            (_, Some(412), _) => Kind::Refused,
            (_, Some(404), Some("NoSuchBucket")) => Kind::Lasting,
            (_, Some(404), Some("NoSuchUpload")) => Kind::NoUpload,
            (_, Some(404), _) => Kind::Absent,
            (_, Some(416), _) => Kind::Range,
            (_, Some(507), _) => Kind::Full,
            // Another conditional write of the key is under way.
            (_, Some(409), Some("ConditionalRequestConflict" | "OperationAborted")) => {
                Kind::Passing
            }
            (_, Some(400), Some("RequestTimeout" | "IncompleteBody" | "BadDigest")) => {
                Kind::Passing
            }
            (_, Some(408 | 425 | 429), _) => Kind::Passing,
            // 501: the server does not know the request.
            (_, Some(300..=499 | 501), _) => Kind::Lasting,
            _ => Kind::Passing,
        };
        let answered = matches!(status, Some(300..=499 | 501));
        Self {
            kind,
            maybe_done: !answered && kind == Kind::Passing,
            text: describe(&error, status),
        }
    }
}

impl From<ByteStreamError> for Attempt {
    fn from(error: ByteStreamError) -> Self {
        Self::passing(format!("the answer broke off: {}", chain(&error)))
    }
}

fn describe<E>(error: &SdkError<E, HttpResponse>, status: Option<u16>) -> String
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    let Some(status) = status else {
        return chain(error);
    };
    let mut text = format!("HTTP {status}");
    for said in [error.code(), error.message()].into_iter().flatten() {
        text.push_str(": ");
        text.push_str(said);
    }
    match (status, error.code()) {
        (403, _) => text.push_str(" (docs/s3.md lists the permissions that are needed)"),
        (404, Some("NoSuchBucket")) => text.push_str(" (the bucket must exist)"),
        (_, None) if matches!(error, SdkError::ResponseError(_)) => {
            text.push_str(": ");
            text.push_str(&chain(error));
        }
        _ => {}
    }
    text
}

/// An error with its causes, those left out that only repeat.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

impl Failure {
    /// A request that was answered with something that can't be right.
    pub(super) fn unusable(text: impl Into<String>) -> Self {
        Self {
            kind: Kind::Passing,
            maybe_done: true,
            attempts: 1,
            elapsed: Duration::ZERO,
            text: text.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.attempts > 1 {
            let seconds = self.elapsed.as_secs_f64();
            write!(f, " ({} attempts in {seconds:.1} s)", self.attempts)?;
        }
        Ok(())
    }
}

impl StdError for Failure {}
