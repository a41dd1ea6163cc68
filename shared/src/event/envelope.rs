//! EventBridge's envelope, over `aws_lambda_events`' own.

use aws_lambda_events::event::eventbridge::EventBridgeEvent;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::malformed::Malformed;
use crate::id::{AccountId, ClusterName, Region, ServiceKey, Timestamp};

/// What EventBridge writes around every event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Envelope {
    /// The event's id: the same for a second delivery of the same event.
    pub id: Option<String>,
    /// The account that it happened in.
    pub account: Option<AccountId>,
    /// The Region that it happened in.
    pub region: Option<Region>,
    /// When.
    pub time: Option<Timestamp>,
    /// Who sent it: `aws.ecr`, `windlass`.
    pub source: String,
    /// What it is: `ECR Image Action`.
    pub detail_type: String,
    /// ARNs that it is about; ECR sends none.
    pub resources: Vec<String>,
}

impl Envelope {
    /// Takes the envelope off.
    pub(super) fn open<T: Serialize + DeserializeOwned>(
        event: EventBridgeEvent<T>,
    ) -> Result<(Self, T), Malformed> {
        let time = match event.time {
            None => None,
            Some(time) => Some(
                i32::try_from(time.timestamp_subsec_nanos())
                    .map_err(|_| ())
                    .and_then(|nanos| Timestamp::new(time.timestamp(), nanos).map_err(|_| ()))
                    .map_err(|()| {
                        Malformed::invalid("time", "is not a time between the years -9999 and 9999")
                    })?,
            ),
        };
        let envelope = Self {
            id: event.id,
            account: event.account.map(AccountId::new),
            region: event.region.map(Region::new),
            time,
            source: event.source,
            detail_type: event.detail_type,
            resources: event.resources.unwrap_or_default(),
        };
        Ok((envelope, event.detail))
    }

    /// The service that an ECS event is about: `resources[0]`. Accounts that never opted in
    /// to the long ARNs have `service/<name>`, which needs the cluster from elsewhere.
    pub(super) fn service(&self, cluster: Option<&ClusterName>) -> Option<ServiceKey> {
        let arn = self.resources.first()?;
        ServiceKey::from_service_arn(arn).or_else(|| {
            let name = arn.split(':').nth(5)?.strip_prefix("service/")?;
            let is_short = !name.is_empty() && !name.contains('/');
            is_short.then(|| Some(ServiceKey::new(cluster?.clone(), name)))?
        })
    }
}
