//! Deployment alarms: ECS polls them while a deployment is under way and while it bakes, and
//! fails it when one is in ALARM.
//!
//! An alarm that is in ALARM when the deployment begins switches the watch off for that
//! deployment (AWS's "deployment-alarm-failure" page). An alarm that does not exist is never
//! in ALARM. A deployment with two sets of tasks is rolled back even where `rollback` is
//! false: AWS does not say how it would leave its traffic.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::args::{self, invalid};
use super::deployment::{BreakerStatus, Release, ReleaseStatus};
use super::service::{Service, ServiceKey};
use super::staged::{self, Then};
use crate::call::ApiError;
use crate::cloudwatch::{self, AlarmState};
use crate::time::Time;
use crate::world::World;

/// Between two polls.
const POLL: Duration = Duration::from_secs(15);

/// `ServiceDeployment`'s `alarms`. The statuses are those of the circuit breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlarmsRecord {
    pub(crate) status: BreakerStatus,
    names: Vec<String>,
    rollback: bool,
    triggered: Vec<String>,
    next: Time,
}

/// What a deployment that begins now watches, where alarms are configured.
pub(crate) fn begin(world: &World, configuration: &Value) -> Option<AlarmsRecord> {
    let alarms = configuration.get("alarms").filter(|it| !it.is_null())?;
    let names = alarms["alarmNames"].as_array().into_iter().flatten();
    let names: Vec<String> = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let watched = enabled(configuration) && ringing(world, &names).is_empty();
    Some(AlarmsRecord {
        status: if watched { BreakerStatus::Monitoring } else { BreakerStatus::Disabled },
        names,
        rollback: alarms["rollback"].as_bool().unwrap_or(false),
        triggered: Vec::new(),
        next: world.now() + POLL,
    })
}

/// Whether a configuration watches alarms.
pub(crate) fn enabled(configuration: &Value) -> bool {
    configuration["alarms"]["enable"].as_bool() == Some(true)
}

/// Checks `deploymentConfiguration.alarms`.
pub(crate) fn check(configuration: &Value) -> Result<(), ApiError> {
    let alarms = &configuration["alarms"];
    args::flag(alarms, "rollback")?;
    let names = args::texts(alarms, "alarmNames")?;
    if args::flag(alarms, "enable")? == Some(true) && names.is_empty() {
        return Err(invalid("alarmNames must name at least one alarm where alarms are enabled."));
    }
    Ok(())
}

/// Those of the alarms that are in ALARM.
fn ringing(world: &World, names: &[String]) -> Vec<String> {
    let rings = |name: &&String| cloudwatch::alarm_state(world, name) == Some(AlarmState::Alarm);
    names.iter().filter(rings).cloned().collect()
}

/// The watch of a service's release under way.
fn watch(service: &Service) -> Option<&AlarmsRecord> {
    let release = service.releases.last().filter(|it| it.status == ReleaseStatus::InProgress)?;
    if staged::current(service).is_some_and(|(_, progress)| progress.is_cleaning_up()) {
        return None;
    }
    release.alarms.as_ref().filter(|it| it.status == BreakerStatus::Monitoring)
}

/// When the alarms are polled next.
pub(crate) fn next_look(service: &Service) -> Option<Time> {
    watch(service).map(|record| record.next)
}

/// Polls the alarms if it is time to.
pub(crate) fn look(world: &mut World, key: &ServiceKey) {
    let now = world.now();
    let Some(record) = world.ecs.service(key).and_then(watch).filter(|it| now >= it.next) else { return };
    let then = if record.rollback { Then::RollBack } else { Then::Stop };
    let triggered = ringing(world, &record.names);
    let Some(record) = record_mut(world, key) else { return };
    record.next = now + POLL;
    if triggered.is_empty() {
        return;
    }
    record.status = BreakerStatus::Triggered;
    record.triggered.clone_from(&triggered);
    let why = format!("ECS deployment alarms: alarm detected: {}.", triggered.join(", "));
    staged::fail(world, key, "ECS deployment alarms", &why, then);
}

fn record_mut<'a>(world: &'a mut World, key: &ServiceKey) -> Option<&'a mut AlarmsRecord> {
    world.ecs.service_mut(key)?.release_mut()?.alarms.as_mut()
}

/// A deployment has succeeded: nothing is watched any more.
pub(crate) fn end(release: &mut Release) {
    if let Some(record) = release.alarms.as_mut().filter(|it| it.status == BreakerStatus::Monitoring) {
        record.status = BreakerStatus::MonitoringComplete;
    }
}

/// As `DescribeServiceDeployments` has it.
pub(crate) fn describe(record: &AlarmsRecord) -> Value {
    json!({
        "status": record.status,
        "alarmNames": record.names,
        "triggeredAlarmNames": record.triggered,
    })
}
