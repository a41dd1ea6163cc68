//! One SDK client for each AWS service, all over one HTTP connector.
//!
//! Two ways to make them: [`Clients::from_lambda_env`] for functions, which reads Region,
//! credentials and endpoints straight from the environment and so does without aws-config
//! (performance.md: init 2.7 ms → 1.4 ms together with ring and Amazon's roots); and, behind
//! the feature `profile`, [`Clients::from_profile`] for the CLI. [`Clients::new`] is under
//! both, and takes any connector: tests give the in-process door.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::http::{HttpConnectorSettings, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use windlass_shared::id::Region;

use crate::meter::{Meter, Metered};

/// A connection that is not there after this long is tried again, or given up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// One attempt of one call. AWS's control planes answer within a second; ten leave room
/// for a slow one, and still three attempts within a function's timeout.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// The first try and two more, for reads.
const READ_ATTEMPTS: u32 = 3;

/// The roots that AWS's public endpoints chain to: Amazon Root CA 1–4 and Starfield
/// Services G2, as published at <https://www.amazontrust.com/repository/>.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Every AWS client that Windlass uses.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Elastic Container Service.
    pub ecs: aws_sdk_ecs::Client,
    /// Elastic Container Registry.
    pub ecr: aws_sdk_ecr::Client,
    /// Elastic Load Balancing v2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Parameter Store.
    pub ssm: aws_sdk_ssm::Client,
    /// DynamoDB.
    pub dynamo: aws_sdk_dynamodb::Client,
    /// EventBridge.
    pub events: aws_sdk_eventbridge::Client,
    /// CloudWatch.
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    /// EC2 Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Application Auto Scaling.
    pub applicationautoscaling: aws_sdk_applicationautoscaling::Client,
    /// The connector under all of them, for what is no AWS API: presigned layer URLs.
    pub http: SharedHttpConnector,
    /// The Region.
    pub region: Region,
    /// What goes through them, and what passes count.
    pub meter: Meter,
}

/// What clients are made with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Region.
    pub region: Region,
    /// Static: Lambda's are fixed for a sandbox's life.
    pub credentials: Credentials,
    /// Where the services are, when not at AWS's own endpoints.
    pub endpoints: Endpoints,
    /// Whether reads are tried again.
    pub retries: Retries,
}

/// Whether reads are tried again by the SDK. Writes that are not idempotent never are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retries {
    /// The SDK's standard mode, three attempts, with its random backoff.
    Standard,
    /// None: for runs that must be the same under the same seed.
    Off,
}

/// Endpoints other than AWS's own: `AWS_ENDPOINT_URL`, and one for each service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// For every service that has none of its own.
    pub all: Option<String>,
    /// `AWS_ENDPOINT_URL_ECS`
    pub ecs: Option<String>,
    /// `AWS_ENDPOINT_URL_ECR`
    pub ecr: Option<String>,
    /// `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`
    pub elb: Option<String>,
    /// `AWS_ENDPOINT_URL_SSM`
    pub ssm: Option<String>,
    /// `AWS_ENDPOINT_URL_DYNAMODB`
    pub dynamo: Option<String>,
    /// `AWS_ENDPOINT_URL_EVENTBRIDGE`
    pub events: Option<String>,
    /// `AWS_ENDPOINT_URL_CLOUDWATCH`
    pub cloudwatch: Option<String>,
    /// `AWS_ENDPOINT_URL_AUTO_SCALING`
    pub autoscaling: Option<String>,
    /// `AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING`
    pub applicationautoscaling: Option<String>,
}

/// Why there are no clients.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// A variable of Lambda's environment is not there.
    #[error(
        "reading the AWS settings: the environment has no {0}; Lambda sets it, elsewhere export it or use a profile"
    )]
    Missing(&'static str),
    /// The TLS side cannot be built.
    #[error("preparing TLS with Amazon's root certificates")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The profile gives no Region.
    #[error("reading the profile: no Region; pass --region, or set one in ~/.aws/config")]
    NoRegion,
    /// The profile gives no credentials.
    #[error("reading the profile: no credentials; run `aws configure`, or set AWS_PROFILE")]
    NoCredentials,
}

impl Settings {
    /// Reads what Lambda puts into a function's environment.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Result<Self, ClientsError> {
        let need = |name: &'static str| {
            get(name).filter(|value| !value.is_empty()).ok_or(ClientsError::Missing(name))
        };
        let region = need("AWS_REGION").or_else(|missing| need("AWS_DEFAULT_REGION").map_err(|_| missing))?;
        let credentials = Credentials::new(
            need("AWS_ACCESS_KEY_ID")?,
            need("AWS_SECRET_ACCESS_KEY")?,
            get("AWS_SESSION_TOKEN").filter(|token| !token.is_empty()),
            None,
            "environment",
        );
        Ok(Self {
            region: Region::new(region),
            credentials,
            endpoints: Endpoints::from_env(get),
            retries: Retries::Standard,
        })
    }
}

impl Endpoints {
    /// Reads `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>`, unless
    /// `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true`, as every SDK does.
    pub fn from_env(get: impl Fn(&str) -> Option<String>) -> Self {
        if get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS").is_some_and(|v| v.eq_ignore_ascii_case("true")) {
            return Self::default();
        }
        let url = |name: &str| get(name).filter(|value| !value.is_empty());
        Self {
            all: url("AWS_ENDPOINT_URL"),
            ecs: url("AWS_ENDPOINT_URL_ECS"),
            ecr: url("AWS_ENDPOINT_URL_ECR"),
            elb: url("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"),
            ssm: url("AWS_ENDPOINT_URL_SSM"),
            dynamo: url("AWS_ENDPOINT_URL_DYNAMODB"),
            events: url("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            cloudwatch: url("AWS_ENDPOINT_URL_CLOUDWATCH"),
            autoscaling: url("AWS_ENDPOINT_URL_AUTO_SCALING"),
            applicationautoscaling: url("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING"),
        }
    }

    /// Whether any service is elsewhere.
    fn any(&self) -> bool {
        *self != Self::default()
    }
}

impl Clients {
    /// For a function: everything from Lambda's environment.
    pub fn from_lambda_env() -> Result<Self, ClientsError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// The same from variables that are not this process's own: of an embedded AWS that
    /// runs in it.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, ClientsError> {
        let settings = Settings::from_env(&get)?;
        // Other roots are needed where the endpoint is not AWS's public one, where the
        // person says so, and in the partitions that have a CA of their own.
        let amazon_only = !settings.endpoints.any()
            && get("SSL_CERT_FILE").is_none()
            && !["cn-", "us-gov-", "us-iso", "eu-iso", "eusc-"]
                .iter()
                .any(|own| settings.region.as_str().starts_with(own));
        let trust = if amazon_only {
            TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)
        } else {
            TrustStore::default()
        };
        Ok(Self::new(connector(trust)?, &settings))
    }

    /// For the CLI: Region and credentials from the user's profiles (`~/.aws`), the
    /// environment winning as everywhere. Endpoints come from the environment.
    #[cfg(feature = "profile")]
    pub async fn from_profile(profile: Option<&str>, region: Option<&str>) -> Result<Self, ClientsError> {
        use aws_credential_types::provider::ProvideCredentials as _;

        let connector = connector(TrustStore::default())?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(shared(&connector));
        if let Some(profile) = profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = region {
            loader = loader.region(aws_types::region::Region::new(region.to_owned()));
        }
        let config = loader.load().await;
        let region = config.region().ok_or(ClientsError::NoRegion)?;
        let provider = config.credentials_provider().ok_or(ClientsError::NoCredentials)?;
        let credentials = provider.provide_credentials().await.map_err(|_| ClientsError::NoCredentials)?;
        let settings = Settings {
            region: Region::new(region.as_ref()),
            credentials,
            endpoints: Endpoints::from_env(|name| std::env::var(name).ok()),
            retries: Retries::Standard,
        };
        Ok(Self::new(connector, &settings))
    }

    /// Over any connector: what tests call with the in-process door.
    pub fn new(connector: SharedHttpConnector, settings: &Settings) -> Self {
        let meter = Meter::default();
        let sdk = sdk_config(&Metered::over(connector.clone(), &meter), settings);
        let at = &settings.endpoints;
        let with = |own: &Option<String>| {
            let mut sdk = sdk.to_builder();
            sdk.set_endpoint_url(own.clone().or_else(|| at.all.clone()));
            sdk.build()
        };
        Self {
            ecs: aws_sdk_ecs::Client::new(&with(&at.ecs)),
            ecr: aws_sdk_ecr::Client::new(&with(&at.ecr)),
            elb: aws_sdk_elasticloadbalancingv2::Client::new(&with(&at.elb)),
            ssm: aws_sdk_ssm::Client::new(&with(&at.ssm)),
            dynamo: aws_sdk_dynamodb::Client::new(&with(&at.dynamo)),
            events: aws_sdk_eventbridge::Client::new(&with(&at.events)),
            cloudwatch: aws_sdk_cloudwatch::Client::new(&with(&at.cloudwatch)),
            autoscaling: aws_sdk_autoscaling::Client::new(&with(&at.autoscaling)),
            applicationautoscaling: aws_sdk_applicationautoscaling::Client::new(&with(
                &at.applicationautoscaling,
            )),
            http: connector,
            region: settings.region.clone(),
            meter,
        }
    }
}

/// The one connector: one TLS set-up and one connection pool for each host.
///
/// TLS is rustls over ring, not over aws-lc. ring builds with nothing but a C compiler
/// and has no start-up cost; aws-lc gathers CPU-jitter entropy at first use, about 30 ms of
/// every cold start. What that costs: no post-quantum key exchange and no FIPS module. Both
/// are one feature of aws-smithy-http-client away, for whoever must have them.
fn connector(trust: TrustStore) -> Result<SharedHttpConnector, ClientsError> {
    let tls = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|source| ClientsError::Tls(Box::new(source)))?;
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(ATTEMPT_TIMEOUT)
        .build();
    let connector = Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(tls)
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .build();
    Ok(SharedHttpConnector::new(connector))
}

/// The same connector for whoever asks, whatever timeouts they ask for.
fn shared(connector: &SharedHttpConnector) -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    let connector = connector.clone();
    http_client_fn(move |_, _| connector.clone())
}

fn sdk_config(connector: &SharedHttpConnector, settings: &Settings) -> SdkConfig {
    let retries = match settings.retries {
        Retries::Standard => RetryConfig::standard().with_max_attempts(READ_ATTEMPTS),
        Retries::Off => no_retry(),
    };
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(ATTEMPT_TIMEOUT)
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new(settings.region.as_str().to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(settings.credentials.clone()))
        .http_client(shared(connector))
        .retry_config(retries)
        .timeout_config(timeouts)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        // Guards streams of unknown length; ours are small bodies under the attempt's timeout.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// For writes that are not idempotent: after no answer the step looks again itself.
pub(crate) fn no_retry() -> RetryConfig {
    RetryConfig::disabled()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn env(pairs: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        let pairs: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        move |name| pairs.get(name).cloned()
    }

    const LAMBDA: [(&str, &str); 4] = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "session"),
    ];

    #[test]
    fn lambdas_environment_is_enough() {
        let settings = Settings::from_env(env(&LAMBDA)).unwrap();
        assert_eq!(settings.region.as_str(), "eu-central-1");
        assert_eq!(settings.credentials.session_token(), Some("session"));
        assert!(!settings.endpoints.any());
        connector(TrustStore::empty().with_pem_certificate(AMAZON_ROOTS)).unwrap();
    }

    #[test]
    fn a_missing_variable_is_named() {
        let error = Settings::from_env(env(&LAMBDA[..2])).unwrap_err();
        assert!(error.to_string().contains("AWS_SECRET_ACCESS_KEY"), "{error}");
        let error = Settings::from_env(env(&LAMBDA[1..])).unwrap_err();
        assert!(error.to_string().contains("AWS_REGION"), "{error}");
    }

    #[test]
    fn endpoints_are_read_and_can_be_ignored() {
        let pairs = [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:4566"),
            ("AWS_ENDPOINT_URL_DYNAMODB", "http://127.0.0.1:8000"),
        ];
        let endpoints = Endpoints::from_env(env(&pairs));
        assert_eq!(endpoints.all.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(endpoints.dynamo.as_deref(), Some("http://127.0.0.1:8000"));
        let ignored = [pairs[0], ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")];
        assert!(!Endpoints::from_env(env(&ignored)).any());
    }
}
