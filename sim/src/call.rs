//! A call to the embedded AWS, its reply, and an API error.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which AWS service a call is for. The name is the one of a signature's credential scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceId {
    /// Elastic Container Service.
    Ecs,
    /// Elastic Container Registry, its control API.
    Ecr,
    /// Elastic Load Balancing v2.
    ElasticLoadBalancing,
    /// Systems Manager's Parameter Store.
    Ssm,
    /// EventBridge.
    Events,
    /// DynamoDB.
    DynamoDb,
    /// Security Token Service (`GetCallerIdentity`).
    Sts,
    /// Lambda (Invoke).
    Lambda,
    /// CloudWatch's metrics and alarms. Its credential scope is `monitoring`; IAM's actions
    /// say `cloudwatch`, and so does this.
    CloudWatch,
    /// EC2 Auto Scaling.
    AutoScaling,
    /// EC2.
    Ec2,
    /// Application Auto Scaling.
    #[serde(rename = "application-autoscaling")]
    ApplicationAutoScaling,
}

impl ServiceId {
    /// The name in a signature's credential scope and in IAM's actions.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ecs => "ecs",
            Self::Ecr => "ecr",
            Self::ElasticLoadBalancing => "elasticloadbalancing",
            Self::Ssm => "ssm",
            Self::Events => "events",
            Self::DynamoDb => "dynamodb",
            Self::Sts => "sts",
            Self::Lambda => "lambda",
            Self::CloudWatch => "cloudwatch",
            Self::AutoScaling => "autoscaling",
            Self::Ec2 => "ec2",
            Self::ApplicationAutoScaling => "application-autoscaling",
        }
    }
}

/// One API call, decoded from its wire protocol. `input` has the members' names as
/// the AWS model spells them: `cluster` in ECS, `LoadBalancerArn` in ELBv2. Calls that
/// came by Query/XML carry every scalar as a JSON string.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The service.
    pub service: ServiceId,
    /// The operation: `DescribeServices`.
    pub operation: String,
    /// Its input.
    pub input: Value,
    /// Who calls.
    pub caller: Caller,
}

/// Who calls: what a credential scope tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Caller {
    /// The access key id; the simulator maps functions' keys to their roles.
    pub access_key: String,
}

/// What came of a call: the output members, or an error.
pub type Reply = Result<Value, ApiError>;

/// An API error, by its real code.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// `ClusterNotFoundException`, `PriorityInUse`, `ThrottlingException`, …
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// 400 for the client's faults, 500 for AWS's.
    pub status: u16,
    /// Members of the error beside its message: DynamoDB's `CancellationReasons`.
    pub extra: Option<Box<Map<String, Value>>>,
}

impl ApiError {
    /// A client's error (HTTP 400).
    pub fn client(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 400, extra: None }
    }

    /// AWS's error (HTTP 500).
    pub fn server(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: 500, extra: None }
    }

    /// The same with another HTTP status: Lambda answers 404 where awsJson answers 400.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with members beside the message.
    #[must_use]
    pub fn with_extra(mut self, extra: Map<String, Value>) -> Self {
        self.extra = Some(Box::new(extra));
        self
    }
}

/// Reads an operation's input as `T`; what does not fit is AWS's `SerializationException`.
pub(crate) fn parse<T: serde::de::DeserializeOwned>(input: &Value) -> Result<T, ApiError> {
    T::deserialize(input).map_err(|error| ApiError::client("SerializationException", error.to_string()))
}

/// What an awsJson service says to an operation that it does not have.
pub(crate) fn unknown_operation(operation: &str) -> ApiError {
    let message = format!("the embedded AWS does not have the operation {operation} of this service");
    ApiError::client("UnknownOperationException", message)
}
