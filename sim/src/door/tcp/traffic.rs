//! A steady stream of requests, counted: the proof that nobody was interrupted.
//!
//! It is an open loop: each request starts at its time whether or not those before have
//! been answered, so a stall is seen as a stall and not as fewer requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use serde::Serialize;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::MissedTickBehavior;

use super::lock;
use super::proxy::client;

/// A request without an answer for so long has failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Failures kept word for word.
const SAMPLES: usize = 20;

/// A running stream of requests.
pub struct Traffic {
    summary: Arc<Mutex<Summary>>,
    stop: watch::Sender<bool>,
    generator: JoinHandle<()>,
}

/// What has been counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Requests begun, and answered or given up.
    pub sent: u64,
    /// Those that failed, of every kind.
    pub failed: u64,
    /// Failed without an answer, by the reason: refused, cut, timed out.
    pub unanswered: BTreeMap<String, u64>,
    /// Failed with the load balancer's own 5xx, by status: no task answered.
    pub balancer_errors: BTreeMap<u16, u64>,
    /// Failed with a task's own 5xx, by its image's digest: a broken version's errors.
    pub task_errors: BTreeMap<String, u64>,
    /// Answers by the digest that gave them, failed ones included.
    pub digests: BTreeMap<String, u64>,
    /// Sent by path.
    pub paths: BTreeMap<String, u64>,
    /// Failed by path.
    pub failed_paths: BTreeMap<String, u64>,
    /// The slowest answer in milliseconds.
    pub slowest_ms: u64,
    /// The first failures, word for word.
    pub samples: Vec<String>,
}

impl Traffic {
    /// Starts `requests_per_sec` requests a second to `url`, over the paths in turn.
    pub fn start(url: impl Into<String>, paths: Vec<String>, requests_per_sec: f64) -> Self {
        let summary = Arc::new(Mutex::new(Summary::default()));
        let (stop, stopped) = watch::channel(false);
        let generate = generate(url.into(), paths, requests_per_sec, Arc::clone(&summary), stopped);
        Self { summary, stop, generator: tokio::spawn(generate) }
    }

    /// What has been counted so far.
    pub fn summary(&self) -> Summary {
        lock(&self.summary).clone()
    }

    /// What counts it while it runs: requests sent, and failed.
    pub fn counter(&self) -> Arc<dyn Fn() -> (u64, u64) + Send + Sync> {
        let summary = Arc::clone(&self.summary);
        Arc::new(move || {
            let summary = lock(&summary);
            (summary.sent, summary.failed)
        })
    }

    /// Sends no more, waits for the answers under way, and counts.
    pub async fn stop(self) -> Summary {
        self.stop.send_replace(true);
        let _ = self.generator.await; // it neither panics nor is aborted
        lock(&self.summary).clone()
    }
}

async fn generate(
    url: String,
    paths: Vec<String>,
    requests_per_sec: f64,
    summary: Arc<Mutex<Summary>>,
    mut stopped: watch::Receiver<bool>,
) {
    let client = client();
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / requests_per_sec.max(0.01)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut under_way = JoinSet::new();
    for path in paths.iter().cycle() {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
        while under_way.try_join_next().is_some() {}
        let (client, url, path) = (client.clone(), format!("{url}{path}"), path.clone());
        let summary = Arc::clone(&summary);
        under_way.spawn(async move {
            let began = tokio::time::Instant::now();
            let outcome = send(&client, &url).await;
            lock(&summary).count(&path, &outcome, began.elapsed());
        });
    }
    while under_way.join_next().await.is_some() {}
}

/// How a request ended.
enum Outcome {
    Unanswered(String),
    Answered { status: u16, task: Option<String>, digest: Option<String> },
}

async fn send(client: &Client<HttpConnector, Full<Bytes>>, url: &str) -> Outcome {
    match tokio::time::timeout(TIMEOUT, exchange(client, url)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(reason)) => Outcome::Unanswered(reason),
        Err(_) => Outcome::Unanswered("timed out".into()),
    }
}

async fn exchange(client: &Client<HttpConnector, Full<Bytes>>, url: &str) -> Result<Outcome, String> {
    let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
    let response = client
        .request(request)
        .await
        .map_err(|error| if error.is_connect() { "refused".to_owned() } else { format!("cut: {error}") })?;
    let (status, task, digest) =
        (response.status().as_u16(), named(&response, "x-task"), named(&response, "x-digest"));
    response.into_body().collect().await.map_err(|error| format!("body cut: {error}"))?;
    Ok(Outcome::Answered { status, task, digest })
}

fn named(response: &Response<Incoming>, name: &str) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(str::to_owned)
}

impl Summary {
    fn count(&mut self, path: &str, outcome: &Outcome, took: Duration) {
        self.sent += 1;
        self.slowest_ms = self.slowest_ms.max(u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        *self.paths.entry(path.to_owned()).or_default() += 1;
        let failure = match outcome {
            Outcome::Unanswered(reason) => {
                *self.unanswered.entry(reason.clone()).or_default() += 1;
                Some(reason.clone())
            }
            Outcome::Answered { status, task, digest } => {
                self.count_answer(*status, task.as_ref(), digest.as_ref())
            }
        };
        let Some(failure) = failure else { return };
        self.failed += 1;
        *self.failed_paths.entry(path.to_owned()).or_default() += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(format!("GET {path}: {failure}"));
        }
    }

    fn count_answer(
        &mut self,
        status: u16,
        task: Option<&String>,
        digest: Option<&String>,
    ) -> Option<String> {
        if let Some(digest) = digest {
            *self.digests.entry(digest.clone()).or_default() += 1;
        }
        if status < 500 {
            return None;
        }
        Some(if let (Some(task), Some(digest)) = (task, digest) {
            *self.task_errors.entry(digest.clone()).or_default() += 1;
            format!("{status} from task {task}")
        } else {
            *self.balancer_errors.entry(status).or_default() += 1;
            format!("{status} from the load balancer")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, digest: Option<&str>) -> Outcome {
        let digest = digest.map(str::to_owned);
        Outcome::Answered { status, task: digest.as_ref().map(|_| "t".into()), digest }
    }

    #[test]
    fn failures_are_told_apart_by_who_answered() {
        let mut summary = Summary::default();
        for outcome in [
            answered(200, Some("sha256:a")),
            answered(404, None),
            answered(500, Some("sha256:b")),
            answered(503, None),
            Outcome::Unanswered("refused".into()),
        ] {
            summary.count("/", &outcome, Duration::from_millis(3));
        }
        assert_eq!((summary.sent, summary.failed), (5, 3));
        assert_eq!(summary.task_errors, [("sha256:b".to_owned(), 1)].into());
        assert_eq!(summary.balancer_errors, [(503, 1)].into());
        assert_eq!(summary.unanswered, [("refused".to_owned(), 1)].into());
        assert_eq!(summary.digests.len(), 2);
        assert_eq!(summary.samples.len(), 3);
    }
}
