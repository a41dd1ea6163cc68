//! Task definitions in and out as the JSON that AWS gave.
//!
//! The SDK's structs know the fields of the day it was made; a newer one would be dropped on
//! the way through them and so vanish from the user's service. So the describing call's raw
//! body is kept beside what the SDK reads of it, and the registering call's body is put in place of
//! what the SDK wrote, before it is signed.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use serde_json::Value;
use windlass_shared::facts::{FailureKind, RecordedRevision};
use windlass_shared::id::TaskDefinitionArn;
use windlass_shared::task_definition::TaskDefinition;

use crate::clients::no_retry;
use crate::error::Failure;

const DESCRIBE: &str = "ecs:DescribeTaskDefinition";
const REGISTER: &str = "ecs:RegisterTaskDefinition";

/// Describes a revision, or a family's newest ACTIVE one, with its tags.
///
/// # Errors
///
/// `NotFound` where there is none: ECS answers `ClientException`, and the mapping knows.
pub async fn describe_task_definition(
    ecs: &aws_sdk_ecs::Client,
    arn_or_family: &str,
) -> Result<TaskDefinition, Failure> {
    let body = RawBody::default();
    ecs.describe_task_definition()
        .task_definition(arn_or_family)
        .include(aws_sdk_ecs::types::TaskDefinitionField::Tags)
        .customize()
        .interceptor(body.clone())
        .send()
        .await
        .map_err(|error| Failure::new(DESCRIBE, &error))?;
    content(&body)
}

/// Describes a revision, and says whether services still take it.
pub(crate) async fn describe_recorded(
    ecs: &aws_sdk_ecs::Client,
    arn: &str,
) -> Result<RecordedRevision, Failure> {
    let body = RawBody::default();
    let described = ecs
        .describe_task_definition()
        .task_definition(arn)
        .include(aws_sdk_ecs::types::TaskDefinitionField::Tags)
        .customize()
        .interceptor(body.clone())
        .send()
        .await
        .map_err(|error| Failure::new(DESCRIBE, &error))?;
    let status = described.task_definition().and_then(|definition| definition.status());
    let is_active = status == Some(&aws_sdk_ecs::types::TaskDefinitionStatus::Active);
    Ok(RecordedRevision { definition: content(&body)?, is_active })
}

fn content(body: &RawBody) -> Result<TaskDefinition, Failure> {
    let read: Option<Value> = body.take().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    read.as_ref()
        .and_then(TaskDefinition::from_described)
        .ok_or_else(|| no_body(DESCRIBE, "the response has no `taskDefinition` object"))
}

/// Registers a revision with exactly this content. Never tried again by the SDK: each
/// registration makes a revision, so after no answer the step looks at the family first.
pub async fn register_task_definition(
    ecs: &aws_sdk_ecs::Client,
    content: &TaskDefinition,
) -> Result<TaskDefinitionArn, Failure> {
    let bytes = serde_json::to_vec(&content.content).map_err(|error| Failure {
        action: REGISTER,
        kind: FailureKind::Invalid,
        code: None,
        message: format!("the task definition makes no JSON: {error}"),
    })?;
    let output = ecs
        .register_task_definition()
        // What the SDK writes is replaced whole; the family is for its traces.
        .set_family(content.family().map(|family| family.to_string()))
        .set_container_definitions(Some(Vec::new()))
        .customize()
        .config_override(aws_sdk_ecs::config::Builder::new().retry_config(no_retry()))
        .mutate_request(move |request| {
            request.headers_mut().insert("content-length", bytes.len().to_string());
            *request.body_mut() = SdkBody::from(bytes.clone());
        })
        .send()
        .await
        .map_err(|error| Failure::new(REGISTER, &error))?;
    output
        .task_definition()
        .and_then(|registered| registered.task_definition_arn())
        .map(TaskDefinitionArn::new)
        .ok_or_else(|| no_body(REGISTER, "the response names no revision"))
}

fn no_body(action: &'static str, what: &str) -> Failure {
    Failure { action, kind: FailureKind::Unknown, code: None, message: what.to_owned() }
}

/// Keeps a response's body as it came.
#[derive(Debug, Clone, Default)]
struct RawBody(Arc<Mutex<Option<Vec<u8>>>>);

impl RawBody {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[dyn_dispatch_hint]
impl Intercept for RawBody {
    fn name(&self) -> &'static str {
        "RawBody"
    }

    // Only now: over a real connection the body is still a stream before the SDK has read it.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The last attempt's body wins: the one that the SDK's own result is made of.
        let bytes = context.response().body().bytes().map(<[u8]>::to_vec);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
        Ok(())
    }
}
