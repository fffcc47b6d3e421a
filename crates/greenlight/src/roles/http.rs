//! The pages of a process for whoever watches it (`/health/live`, `/health/ready`, `/metrics`), and for whoever asks it
//! (`/why`, of a gatekeeper).

use std::net::SocketAddr;
use std::thread::JoinHandle;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::board::{Board, Row};
use super::questions::{Questions, why};
use crate::error::{Error, Result};

/// A server that answers until it is dropped.
pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct Pages {
    board: Board,
    metrics: PrometheusHandle,
}

#[derive(Serialize)]
struct Health {
    ready: bool,
    datasets: Vec<Row>,
}

impl Server {
    /// Listens at `address`, `HOST:PORT`; port 0 takes a free one.
    pub(super) fn start(
        address: &str,
        board: Board,
        metrics: PrometheusHandle,
        questions: Option<Questions>,
    ) -> Result<Self> {
        let failed = |source| Error::Listen {
            address: address.to_owned(),
            source,
        };
        // Few and small questions: one thread, which nothing else needs.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let listener = runtime
            .block_on(TcpListener::bind(address))
            .map_err(failed)?;
        let bound = listener.local_addr().map_err(failed)?;
        let mut router = Router::new()
            .route("/health/live", get(live))
            .route("/health/ready", get(ready))
            .route("/metrics", get(prometheus))
            .with_state(Pages { board, metrics });
        if let Some(questions) = questions {
            router = router.route("/why", get(why).with_state(questions));
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = move || {
            let served = runtime.block_on(async {
                tokio::select! {
                    served = axum::serve(listener, router) => served,
                    _ = stopped => Ok(()),
                }
            });
            if let Err(error) = served {
                tracing::error!(%error, "the health pages are no longer served");
            }
        };
        let thread = std::thread::Builder::new()
            .name("http".to_owned())
            .spawn(serve)
            .map_err(failed)?;
        Ok(Self {
            address: bound,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether the process runs at all; what it says of its datasets is for people.
async fn live(pages: Shared<Pages>) -> Response {
    json(StatusCode::OK, &health(&pages))
}

/// Whether every dataset is produced or stood by for.
async fn ready(pages: Shared<Pages>) -> Response {
    let health = health(&pages);
    let status = if health.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    json(status, &health)
}

async fn prometheus(pages: Shared<Pages>) -> Response {
    pages.metrics.run_upkeep();
    super::metrics::process();
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    (
        [(header::CONTENT_TYPE, content_type)],
        pages.metrics.render(),
    )
        .into_response()
}

fn health(pages: &Pages) -> Health {
    let datasets = pages.board.rows();
    Health {
        ready: Board::is_ready(&datasets),
        datasets,
    }
}

/// A page of JSON.
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_string(body) {
        Ok(text) => (status, [(header::CONTENT_TYPE, "application/json")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
