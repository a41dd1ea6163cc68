//! The service deployment that goes on: its stage, its weights, its hooks.

use aws_sdk_ecs::types::ServiceDeployment;
use windlass_shared::event::LifecycleStage;
use windlass_shared::facts::{Fact, HookRun, UnderWay};
use windlass_shared::id::{HookId, ServiceDeploymentArn};

use super::configuration::share;
use super::convert::{fact, instant, text};
use crate::error::Failure;

/// The service deployment of this ARN.
pub(super) async fn under_way(ecs: &aws_sdk_ecs::Client, arn: &ServiceDeploymentArn) -> Fact<UnderWay> {
    fact(describe(ecs, arn).await, || format!("describing service deployment {arn}"))
}

/// `None` where there is none (any more).
pub(crate) async fn describe(
    ecs: &aws_sdk_ecs::Client,
    arn: &ServiceDeploymentArn,
) -> Result<Option<UnderWay>, Failure> {
    let described = ecs
        .describe_service_deployments()
        .service_deployment_arns(arn.as_str())
        .send()
        .await
        .map_err(|error| Failure::new("ecs:DescribeServiceDeployments", &error))?;
    Ok(described.service_deployments().first().map(|deployment| read(arn, deployment)))
}

fn read(arn: &ServiceDeploymentArn, deployment: &ServiceDeployment) -> UnderWay {
    let target = deployment.target_service_revision();
    UnderWay {
        arn: arn.clone(),
        status: deployment.status().map_or("", |status| status.as_str()).to_owned(),
        stage: deployment.lifecycle_stage().map(|stage| LifecycleStage::from(stage.as_str())),
        share: target.and_then(|target| target.requested_production_traffic_weight()).map(share),
        hooks: deployment
            .lifecycle_hook_details()
            .iter()
            .map(|hook| HookRun {
                id: HookId::new(text(hook.hook_id())),
                status: hook.status().map_or("", |status| status.as_str()).to_owned(),
                expires_at: hook.expires_at().map(|at| instant(Some(at))),
            })
            .collect(),
    }
}
