//! Which of some alarms a mute rule holds back now: one call where no rule is active, and one for each alarm
//! else, since a rule's summary does not say whom it mutes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::AlarmMuteRuleStatus;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use windlass_shared::facts::Fact;
use windlass_shared::id::AlarmName;

use super::SIDE_BY_SIDE;
use crate::error::Failure;
use crate::observe::convert::fact;

type Cloudwatch = aws_sdk_cloudwatch::Client;

/// The rule that mutes each of these alarms, by name; those that none mutes are left out.
pub(super) async fn mutes(
    cloudwatch: &Cloudwatch,
    alarms: &BTreeSet<String>,
) -> Fact<BTreeMap<AlarmName, String>> {
    let found = async {
        if active(cloudwatch, None).await?.is_none() {
            return Ok(Some(BTreeMap::new()));
        }
        let of_each = stream::iter(alarms.clone())
            .map(|alarm| async move {
                let by = active(cloudwatch, Some(&alarm)).await?;
                Ok::<_, Failure>(by.map(|by| (AlarmName::new(alarm), by)))
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect::<Vec<_>>();
        Ok(Some(of_each.await?.into_iter().flatten().collect()))
    };
    fact(found.await, || "asking which alarms are muted".to_owned())
}

/// The first rule that is active now: of all, or of those that mute the alarm.
async fn active(cloudwatch: &Cloudwatch, alarm: Option<&str>) -> Result<Option<String>, Failure> {
    let sent = cloudwatch
        .list_alarm_mute_rules()
        .set_alarm_name(alarm.map(str::to_owned))
        .statuses(AlarmMuteRuleStatus::Active)
        .max_records(1)
        .send()
        .await;
    let listed = sent.map_err(|error| Failure::new("cloudwatch:ListAlarmMuteRules", &error))?;
    let first = listed.alarm_mute_rule_summaries().first();
    let arn = first.map(|it| it.alarm_mute_rule_arn().unwrap_or_default());
    Ok(arn.map(|arn| arn.rsplit(":alarm-mute-rule:").next().unwrap_or(arn).to_owned()))
}
