//! Requests through the load balancer.
//!
//! Bounded each way: an answer has [`ANSWER`] to come, all of them together [`ALL`], a body
//! counts up to [`BODY_MAX`], and at most [`AT_ONCE`] of a check are on their way.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{HttpConnector as _, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures::StreamExt as _;
use futures::future::join_all;
use tokio::time::{Instant, timeout_at};
use windlass_shared::verify::{Answer, HttpAsk};

use super::balancer::Origin;
use crate::error::chain;

/// One answer, to its end. The connector gives up reading after as long.
const ANSWER: Duration = Duration::from_secs(10);
/// All answers: a third of the function's time stays for the rest.
const ALL: Duration = Duration::from_secs(40);
/// Of a check's tries so many are made at once: enough that a hundred fit, few enough to be no load test.
const AT_ONCE: usize = 4;
/// A page that says "ok" is small. What follows is not read.
const BODY_MAX: usize = 256 * 1024;
/// A connection that is not there by now was never taken: the connector's own limit is 2 s.
const CONNECTED: Duration = Duration::from_secs(3);

pub(super) async fn ask_all(
    http: &SharedHttpConnector,
    origin: &Origin,
    asks: &[HttpAsk],
) -> Vec<Vec<Answer>> {
    let end = Instant::now() + ALL;
    join_all(asks.iter().map(|ask| tries(http, origin, ask, end))).await
}

async fn tries(http: &SharedHttpConnector, origin: &Origin, one: &HttpAsk, end: Instant) -> Vec<Answer> {
    let tries = futures::stream::iter(0..one.tries).map(|_| try_once(http, origin, one, end));
    tries.buffered(AT_ONCE).collect().await
}

async fn try_once(http: &SharedHttpConnector, origin: &Origin, one: &HttpAsk, end: Instant) -> Answer {
    let request = match request(origin, one) {
        Ok(request) => request,
        Err(reason) => return Answer::NotAsked { reason },
    };
    let began = Instant::now();
    if began >= end {
        return Answer::NotAsked { reason: "the time for all checks was over before".to_owned() };
    }
    let until = end.min(began + ANSWER);
    let answered = timeout_at(until, exchange(http, request, began)).await;
    let after_ms = millis(began.elapsed());
    match answered {
        Ok(answer) => answer,
        // The time for all was over before this one's own.
        Err(_) if until < began + ANSWER => Answer::NotAsked {
            reason: format!("cut off after {after_ms} ms: the time for all checks was over"),
        },
        Err(_) => Answer::Silence { after_ms },
    }
}

async fn exchange(http: &SharedHttpConnector, request: HttpRequest, began: Instant) -> Answer {
    match http.call(request).await {
        Ok(response) => read(response, began).await,
        Err(error) => unanswered(&error, began.elapsed()),
    }
}

/// No connection, or no answer over one: only the latter is the revision's doing.
fn unanswered(error: &ConnectorError, after: Duration) -> Answer {
    if error.is_timeout() && after > CONNECTED {
        return Answer::Silence { after_ms: millis(after) };
    }
    let why = chain(error);
    let next =
        "an internal load balancer is reached from its VPC alone (VerifySubnetIds, VerifySecurityGroupIds)";
    Answer::NotAsked { reason: format!("the load balancer was not reached: {why} (next: {next})") }
}

async fn read(response: HttpResponse, began: Instant) -> Answer {
    let status = response.status().as_u16();
    let mut stream = ByteStream::new(response.into_body());
    let mut bytes = Vec::new();
    while bytes.len() < BODY_MAX {
        match stream.next().await {
            Some(Ok(chunk)) => bytes.extend_from_slice(&chunk),
            Some(Err(_)) => return Answer::Silence { after_ms: millis(began.elapsed()) },
            None => break,
        }
    }
    bytes.truncate(BODY_MAX);
    let body = String::from_utf8_lossy(&bytes).into_owned();
    Answer::Answered { status, body, latency_ms: millis(began.elapsed()) }
}

fn request(origin: &Origin, one: &HttpAsk) -> Result<HttpRequest, String> {
    let url = url(origin, one)?;
    let mut request = HttpRequest::new(SdkBody::empty());
    request.set_uri(url.as_str()).map_err(|error| format!("`{url}` is no URL: {error}"))?;
    let host = match origin {
        Origin::StandIn { name, port, .. } => Some(format!("{}:{port}", one.host.as_ref().unwrap_or(name))),
        Origin::Plain(_) | Origin::Tls(_) | Origin::Nowhere(_) => one.host.clone(),
    };
    let host = host.map(|host| ("host".to_owned(), host));
    let agent = ("user-agent".to_owned(), "windlass-verify".to_owned());
    for (name, value) in host.into_iter().chain([agent]).chain(one.headers.iter().cloned()) {
        let set = request.headers_mut().try_insert(name.clone(), value);
        set.map_err(|error| format!("the header `{name}` cannot be sent: {error}"))?;
    }
    Ok(request)
}

fn url(origin: &Origin, one: &HttpAsk) -> Result<String, String> {
    match origin {
        Origin::Plain(base) | Origin::StandIn { endpoint: base, .. } => Ok(format!("{base}{}", one.path)),
        Origin::Tls(port) => match &one.host {
            Some(host) => Ok(format!("https://{host}:{port}{}", one.path)),
            None => Err("the listener speaks HTTPS, which needs the name on its certificate: \
                         give the check a `host`, or the route a host without wildcards"
                .to_owned()),
        },
        Origin::Nowhere(why) => Err(why.clone()),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(host: Option<&str>) -> HttpAsk {
        let headers = vec![("x-canary".to_owned(), "yes".to_owned())];
        HttpAsk { path: "/health?deep=1".into(), host: host.map(str::to_owned), headers, tries: 1 }
    }

    #[test]
    fn a_plain_listener_is_asked_at_the_load_balancers_name_and_the_host_is_a_header() {
        let origin = Origin::Plain("http://lb.invalid:8080".into());
        let request = request(&origin, &ask(Some("shop.example.com"))).unwrap();
        assert_eq!(request.uri(), "http://lb.invalid:8080/health?deep=1");
        assert_eq!(request.headers().get("host"), Some("shop.example.com"));
        assert_eq!(request.headers().get("x-canary"), Some("yes"));
    }

    #[test]
    fn what_stands_in_for_a_load_balancer_is_told_which_listener_was_meant() {
        let origin = Origin::StandIn {
            endpoint: "http://127.0.0.1:8080".into(),
            name: "main-1.elb.amazonaws.com".into(),
            port: 8443,
        };
        let named = request(&origin, &ask(Some("shop.example.com"))).unwrap();
        assert_eq!(named.uri(), "http://127.0.0.1:8080/health?deep=1");
        assert_eq!(named.headers().get("host"), Some("shop.example.com:8443"));
        let unnamed = request(&origin, &ask(None)).unwrap();
        assert_eq!(unnamed.headers().get("host"), Some("main-1.elb.amazonaws.com:8443"));
    }

    #[test]
    fn a_listener_with_tls_is_asked_by_the_hosts_own_name_or_not_at_all() {
        assert_eq!(
            url(&Origin::Tls(443), &ask(Some("shop.example.com"))).unwrap(),
            "https://shop.example.com:443/health?deep=1"
        );
        let refused = url(&Origin::Tls(443), &ask(None)).unwrap_err();
        assert!(refused.contains("give the check a `host`"), "{refused}");
    }

    #[test]
    fn what_was_never_taken_is_told_from_what_was_not_answered() {
        let slow = ConnectorError::timeout("read".into());
        assert_eq!(unanswered(&slow, Duration::from_secs(9)), Answer::Silence { after_ms: 9000 });
        assert!(matches!(unanswered(&slow, Duration::from_secs(2)), Answer::NotAsked { .. }));
        let refused = ConnectorError::io("refused".into());
        assert!(matches!(unanswered(&refused, Duration::from_secs(9)), Answer::NotAsked { .. }));
    }
}
