//! Counts: requests and throttles as they pass the connector, and what passes tell of themselves. A
//! function prints them when an invocation ends.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use windlass_shared::id::Timestamp;
use windlass_shared::metrics::{Metric, Tally};

/// What AWS's services call a request too many, each in its own words.
const TOO_MANY: [&str; 6] = [
    "Throttl",
    "TooManyRequests",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceeded",
    "SlowDown",
    "BandwidthLimitExceeded",
];

/// One tally for everything that an invocation does.
#[derive(Debug, Clone, Default)]
pub struct Meter(Arc<Mutex<Tally>>);

impl Meter {
    /// To count in.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many more.
    pub fn count(&self, metric: Metric, more: u32) {
        self.tally().count(metric, more);
    }

    /// A pass, by how it ended.
    pub fn passed(&self, is_ok: bool) {
        self.count(if is_ok { Metric::Passes } else { Metric::PassesFailed }, 1);
    }

    /// What was counted since it was last taken.
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.tally())
    }

    /// Prints what was counted: Lambda hands a function's stdout to CloudWatch Logs.
    #[allow(clippy::print_stdout, reason = "the embedded metric format is read from stdout")]
    pub fn print(&self, function: &str, at: Timestamp) {
        for line in self.take().lines(function, at) {
            println!("{line}");
        }
    }
}

/// A connector that counts what goes through it.
#[derive(Debug)]
pub(crate) struct Metered {
    inner: SharedHttpConnector,
    meter: Meter,
}

impl Metered {
    pub(crate) fn over(inner: SharedHttpConnector, meter: &Meter) -> SharedHttpConnector {
        SharedHttpConnector::new(Self { inner, meter: meter.clone() })
    }
}

impl HttpConnector for Metered {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, meter) = (self.inner.clone(), self.meter.clone());
        HttpConnectorFuture::new(async move {
            meter.count(Metric::Calls, 1);
            let mut response = inner.call(request).await?;
            if response.status().as_u16() >= 400 {
                meter.count(Metric::Throttles, u32::from(is_throttled(&mut response).await));
            }
            Ok(response)
        })
    }
}

/// Whether the service refused it as one too many. An error's body is small: it is read, and put back.
async fn is_throttled(response: &mut HttpResponse) -> bool {
    if response.status().as_u16() == 429 {
        return true;
    }
    let body = std::mem::replace(response.body_mut(), SdkBody::empty());
    let Ok(body) = ByteStream::new(body).collect().await else {
        return false;
    };
    let bytes = body.into_bytes();
    let says_so = {
        let text = String::from_utf8_lossy(&bytes);
        TOO_MANY.iter().any(|word| text.contains(word))
    };
    *response.body_mut() = SdkBody::from(bytes);
    says_so
}

#[cfg(test)]
mod tests {
    use aws_smithy_runtime_api::http::StatusCode;

    use super::*;

    #[derive(Debug)]
    struct Says(u16, &'static str);

    impl HttpConnector for Says {
        fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
            let status = StatusCode::try_from(self.0).unwrap();
            HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(self.1))))
        }
    }

    async fn counted(status: u16, body: &'static str) -> (f64, f64) {
        let meter = Meter::default();
        let connector = Metered::over(SharedHttpConnector::new(Says(status, body)), &meter);
        let response = connector.call(HttpRequest::empty()).await.unwrap();
        let read = ByteStream::new(response.into_body()).collect().await.unwrap().into_bytes();
        assert_eq!(read, body, "who called reads all of it");
        let tally = meter.take();
        assert_eq!(meter.take(), Tally::default(), "taken once");
        (tally.sum(Metric::Calls), tally.sum(Metric::Throttles))
    }

    #[tokio::test]
    async fn a_throttle_is_counted_in_the_words_of_each_protocol() {
        for body in [
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
            r#"{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"}"#,
            "<ErrorResponse><Error><Code>Throttling</Code></Error></ErrorResponse>",
        ] {
            assert_eq!(counted(400, body).await, (1.0, 1.0), "{body}");
        }
        assert_eq!(counted(429, "").await, (1.0, 1.0));
    }

    #[tokio::test]
    async fn another_error_and_an_answer_are_calls_alone() {
        assert_eq!(counted(400, r#"{"__type":"ServiceNotFoundException"}"#).await, (1.0, 0.0));
        assert_eq!(counted(200, r#"{"note":"Throttling is not said by an answer"}"#).await, (1.0, 0.0));
    }
}
