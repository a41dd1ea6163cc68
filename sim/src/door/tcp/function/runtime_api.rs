//! The Lambda Runtime API of one instance
//! (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).
//!
//! Times are virtual: the deadline that a function sees is on the clock that
//! `WINDLASS_CLOCK` gives it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::super::http::{Body, full, json, text};
use super::super::hub::Hub;
use super::super::lock;
use super::Function;
use super::queue::Job;
use crate::lambda::Ended;

const VERSION: &str = "/2018-06-01/runtime";

/// One instance as its Runtime API sees it.
pub(super) struct Session {
    hub: Arc<Hub>,
    function: Arc<Function>,
    state: Mutex<State>,
    /// Rings when an invocation is handed over, or ended: the time limit starts or ends.
    pub(super) turned: Notify,
}

#[derive(Default)]
struct State {
    in_flight: Option<Job>,
    /// Whether it has ever asked for work: an instance that dies before that failed its init.
    initialised: bool,
    /// What it said by `/runtime/init/error`.
    init_error: Option<String>,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, function: Arc<Function>) -> Self {
        Self { hub, function, state: Mutex::default(), turned: Notify::new() }
    }

    /// The time limit of the invocation in flight.
    pub(super) fn allowance(&self) -> Option<Duration> {
        lock(&self.state).in_flight.as_ref().map(|job| job.allowance)
    }

    pub(super) fn initialised(&self) -> bool {
        lock(&self.state).initialised
    }

    pub(super) fn take_init_error(&self) -> Option<String> {
        lock(&self.state).init_error.take()
    }

    /// The invocation in flight ends with `ended`. Returns whether there was one.
    pub(super) fn end(&self, ended: Ended) -> bool {
        let Some(job) = lock(&self.state).in_flight.take() else { return false };
        self.function.queue.finished();
        self.turned.notify_one();
        job.end(&self.hub, ended);
        true
    }

    pub(super) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let Some(path) = path.strip_prefix(VERSION) else { return unknown(&path) };
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (request.method(), parts.as_slice()) {
            (&Method::GET, ["invocation", "next"]) => self.next().await,
            (&Method::POST, ["invocation", id, kind @ ("response" | "error")]) => {
                let Ok(body) = request.into_body().collect().await else { return cut() };
                self.ended(id, kind, &body.to_bytes())
            }
            (&Method::POST, ["init", "error"]) => {
                let Ok(body) = request.into_body().collect().await else { return cut() };
                lock(&self.state).init_error = Some(words(&body.to_bytes()));
                accepted()
            }
            _ => unknown(path),
        }
    }

    async fn next(&self) -> Response<Body> {
        lock(&self.state).initialised = true;
        let job = self.function.queue.next().await;
        let response = self.hand_over(&job);
        lock(&self.state).in_flight = Some(job);
        self.turned.notify_one();
        response
    }

    fn hand_over(&self, job: &Job) -> Response<Body> {
        let (hub, invocation) = (&self.hub, &job.invocation);
        let surroundings = &hub.functions.surroundings;
        let arn = format!(
            "arn:aws:lambda:{}:{}:function:{}",
            surroundings.region, surroundings.account, self.function.process.name
        );
        let mut response = Response::new(full(invocation.payload.to_string()));
        for (name, value) in [
            ("content-type", "application/json".to_owned()),
            ("lambda-runtime-aws-request-id", invocation.request_id.clone()),
            ("lambda-runtime-deadline-ms", invocation.deadline.0.to_string()),
            ("lambda-runtime-invoked-function-arn", arn),
            ("lambda-runtime-trace-id", trace_id(&invocation.request_id)),
        ] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn ended(&self, id: &str, kind: &str, body: &Bytes) -> Response<Body> {
        let expected = lock(&self.state).in_flight.as_ref().map(|job| job.invocation.request_id.clone());
        if expected.as_deref() != Some(id) {
            let words = format!("request {id} is not in flight here, which is {expected:?}");
            let error = json!({ "errorType": "InvalidRequestID", "errorMessage": words });
            return json(StatusCode::BAD_REQUEST, &error);
        }
        let ended = match (kind, serde_json::from_slice::<Value>(body)) {
            ("response", Ok(value)) => Ended::Ok(value),
            ("response", Err(_)) if body.is_empty() => Ended::Ok(Value::Null),
            ("response", Err(error)) => Ended::Error(format!("the function's response is no JSON: {error}")),
            _ => Ended::Error(words(body)),
        };
        self.end(ended);
        accepted()
    }
}

/// `Root=1-<8 hex>-<24 hex>;Sampled=0`, from the request id's own hex digits.
fn trace_id(request_id: &str) -> String {
    let mut hex: String = request_id.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    while hex.len() < 32 {
        hex.push('0');
    }
    format!("Root=1-{}-{};Sampled=0", &hex[..8], &hex[8..])
}

fn words(body: &Bytes) -> String {
    String::from_utf8_lossy(body).into_owned()
}

fn accepted() -> Response<Body> {
    json(StatusCode::ACCEPTED, &json!({ "status": "OK" }))
}

fn cut() -> Response<Body> {
    text(StatusCode::BAD_REQUEST, "the body was cut")
}

fn unknown(path: &str) -> Response<Body> {
    text(StatusCode::NOT_FOUND, format!("the Runtime API knows no {path}"))
}
