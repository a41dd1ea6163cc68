//! AWS's API rates: token buckets per account and Region, shared within a category.
//! Numbers: ECS, ELBv2 and EC2 by their "request throttling" pages; ECR, Systems Manager,
//! EventBridge and CloudWatch by their quota pages.

use std::collections::BTreeMap;

use crate::call::{ApiError, ServiceId};
use crate::time::Time;

/// Tokens are counted in millionths, so that 0.2 a second is whole per millisecond.
const TOKEN: u64 = 1_000_000;

/// A bucket's kind: its name, how many calls it holds, how many come back per second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Category {
    name: &'static str,
    burst: u64,
    /// Calls per 1,000 seconds.
    per_kilosecond: u64,
}

const fn category(name: &'static str, burst: u64, per_second: u64) -> Category {
    Category { name, burst, per_kilosecond: per_second * 1000 }
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: u64,
    filled: Time,
}

/// The buckets, by their category's name.
#[derive(Debug, Clone, Default)]
pub(super) struct Buckets(BTreeMap<&'static str, Bucket>);

impl Buckets {
    /// Takes a token from each bucket of the operation, or none if one is empty.
    pub(super) fn admit(&mut self, service: ServiceId, operation: &str, now: Time) -> bool {
        let categories = categories(service, operation);
        if categories.iter().any(|category| self.fill(*category, now).tokens < TOKEN) {
            return false;
        }
        for category in categories {
            self.fill(category, now).tokens -= TOKEN;
        }
        true
    }

    fn fill(&mut self, category: Category, now: Time) -> &mut Bucket {
        let full = category.burst * TOKEN;
        let bucket = self.0.entry(category.name).or_insert(Bucket { tokens: full, filled: now });
        let ms = now.0.saturating_sub(bucket.filled.0);
        // per_kilosecond calls in 1,000,000 ms, and a call is 1,000,000 parts of a token.
        bucket.tokens = bucket.tokens.saturating_add(ms.saturating_mul(category.per_kilosecond)).min(full);
        bucket.filled = now;
        bucket
    }
}

/// What the service says to a call too many.
pub(super) fn error(service: ServiceId) -> ApiError {
    match service {
        ServiceId::ElasticLoadBalancing | ServiceId::AutoScaling | ServiceId::Sts | ServiceId::CloudWatch => {
            ApiError::client("Throttling", "Rate exceeded")
        }
        ServiceId::Ec2 => {
            ApiError::client("RequestLimitExceeded", "Request limit exceeded.").with_status(503)
        }
        ServiceId::Lambda => ApiError::client("TooManyRequestsException", "Rate exceeded").with_status(429),
        _ => ApiError::client("ThrottlingException", "Rate exceeded"),
    }
}

fn categories(service: ServiceId, operation: &str) -> Vec<Category> {
    match service {
        ServiceId::Ecs => ecs(operation).into_iter().collect(),
        ServiceId::ElasticLoadBalancing => {
            vec![category("elb account", 40, 10), elb(operation)]
        }
        ServiceId::Ecr => vec![ecr(operation)],
        ServiceId::Ssm => vec![ssm(operation)],
        ServiceId::Events => vec![match operation {
            "PutEvents" => category("events put", 400, 400),
            _ => category("events", 50, 50),
        }],
        ServiceId::Lambda => vec![category("lambda", 100, 100)],
        ServiceId::CloudWatch => vec![cloudwatch(operation)],
        ServiceId::AutoScaling => vec![autoscaling(operation)],
        ServiceId::Ec2 => vec![ec2(operation)],
        // On-demand tables take more than a test's load; STS allows 600 a second; the third says no numbers.
        ServiceId::DynamoDb | ServiceId::Sts | ServiceId::ApplicationAutoScaling => Vec::new(),
    }
}

/// Operations that the page does not list are not throttled here.
fn ecs(operation: &str) -> Option<Category> {
    Some(match operation {
        "CreateCluster"
        | "DeleteCluster"
        | "UpdateCluster"
        | "PutClusterCapacityProviders"
        | "UpdateClusterSettings" => category("ecs cluster modify", 20, 1),
        "DescribeClusters" | "ListClusters" => category("ecs cluster read", 50, 20),
        "RegisterTaskDefinition" | "DeregisterTaskDefinition" => {
            category("ecs task definition modify", 20, 1)
        }
        "DescribeTaskDefinition" | "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => {
            category("ecs task definition read", 50, 20)
        }
        "DeleteTaskDefinitions" => category("ecs task definition deletion", 5, 1),
        "CreateCapacityProvider" | "DeleteCapacityProvider" | "UpdateCapacityProvider" => {
            category("ecs capacity provider modify", 10, 1)
        }
        "DescribeCapacityProviders" => category("ecs capacity provider read", 50, 20),
        "TagResource" | "UntagResource" => category("ecs tag modify", 20, 10),
        "ListTagsForResource" => category("ecs tag read", 50, 20),
        "PutAccountSetting" | "PutAccountSettingDefault" | "DeleteAccountSetting" => {
            category("ecs setting modify", 10, 1)
        }
        "ListAccountSettings" => category("ecs setting read", 50, 20),
        "RunTask"
        | "StartTask"
        | "StopTask"
        | "UpdateContainerInstancesState"
        | "PutAttributes"
        | "DeleteAttributes"
        | "ExecuteCommand"
        | "DeregisterContainerInstance"
        | "UpdateContainerAgent" => category("ecs cluster resource modify", 100, 40),
        "DescribeTasks"
        | "ListTasks"
        | "DescribeContainerInstances"
        | "ListContainerInstances"
        | "ListAttributes" => category("ecs cluster resource read", 100, 20),
        "RegisterContainerInstance"
        | "SubmitTaskStateChange"
        | "SubmitContainerStateChange"
        | "SubmitAttachmentStateChanges"
        | "DiscoverPollEndpoint" => category("ecs agent modify", 200, 120),
        "CreateService" | "UpdateService" | "DeleteService" => category("ecs service modify", 50, 5),
        "DescribeServices" | "ListServices" => category("ecs service read", 100, 20),
        "DescribeServiceDeployments" | "ListServiceDeployments" => category("ecs service deployment", 50, 20),
        "DescribeServiceRevisions" => category("ecs service revision", 50, 20),
        "UpdateTaskProtection" | "GetTaskProtection" => category("ecs task protection", 200, 80),
        "ListServicesByNamespace" => category("ecs namespace", 10, 1),
        _ => return None,
    })
}

fn elb(operation: &str) -> Category {
    match operation {
        "RegisterTargets" | "DeregisterTargets" => category("elb targets", 20, 4),
        "CreateLoadBalancer" | "SetSubnets" => {
            Category { name: "elb load balancers", burst: 10, per_kilosecond: 200 }
        }
        read if read.starts_with("Describe") || read.starts_with("Get") => category("elb read", 40, 10),
        _ => category("elb modify", 20, 3),
    }
}

fn ecr(operation: &str) -> Category {
    match operation {
        "BatchGetImage" => category("ecr BatchGetImage", 2000, 2000),
        "GetDownloadUrlForLayer" => category("ecr GetDownloadUrlForLayer", 3000, 3000),
        "GetAuthorizationToken" => category("ecr GetAuthorizationToken", 500, 500),
        "BatchCheckLayerAvailability" => category("ecr BatchCheckLayerAvailability", 1000, 1000),
        "UploadLayerPart" => category("ecr UploadLayerPart", 500, 500),
        "PutImage" => category("ecr PutImage", 10, 10),
        "StartImageScan" => category("ecr StartImageScan", 1, 1),
        "DescribeImageScanFindings" => category("ecr DescribeImageScanFindings", 20, 20),
        _ => category("ecr", 100, 100),
    }
}

/// By CloudWatch's quota page; a second's worth is the burst.
fn cloudwatch(operation: &str) -> Category {
    match operation {
        "DescribeAlarms" => category("cloudwatch DescribeAlarms", 9, 9),
        "GetMetricData" => category("cloudwatch GetMetricData", 50, 50),
        "GetMetricStatistics" => category("cloudwatch GetMetricStatistics", 400, 400),
        "ListMetrics" => category("cloudwatch ListMetrics", 25, 25),
        "PutMetricData" => category("cloudwatch PutMetricData", 500, 500),
        "PutMetricAlarm" => category("cloudwatch PutMetricAlarm", 3, 3),
        "PutCompositeAlarm" => category("cloudwatch PutCompositeAlarm", 3, 3),
        "DeleteAlarms" => category("cloudwatch DeleteAlarms", 3, 3),
        "SetAlarmState" => category("cloudwatch SetAlarmState", 3, 3),
        _ => category("cloudwatch", 20, 20),
    }
}

/// AWS publishes no numbers for Auto Scaling: these are smaller than what people report, so that
/// who keeps to them keeps to AWS's.
fn autoscaling(operation: &str) -> Category {
    match operation {
        read if read.starts_with("Describe") => category("autoscaling read", 40, 10),
        "RecordLifecycleActionHeartbeat" | "CompleteLifecycleAction" => {
            category("autoscaling lifecycle", 40, 10)
        }
        _ => category("autoscaling modify", 20, 5),
    }
}

/// By EC2's "request throttling" page: non-mutating actions and mutating ones.
fn ec2(operation: &str) -> Category {
    match operation {
        read if read.starts_with("Describe") || read.starts_with("Get") => category("ec2 read", 100, 20),
        _ => category("ec2 modify", 50, 5),
    }
}

fn ssm(operation: &str) -> Category {
    match operation {
        "GetParameter" | "GetParameters" | "GetParametersByPath" => category("ssm get", 40, 40),
        "PutParameter" => category("ssm put", 3, 3),
        _ => category("ssm", 20, 10),
    }
}
