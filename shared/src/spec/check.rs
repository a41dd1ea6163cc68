//! Every range and every contradiction, section by section. Where AWS sets the limit, the
//! comment says which quota or which call's model it is from.

use std::collections::BTreeMap;

use super::problem::Checks;
use super::rollout::{
    ApprovalBefore, BreakerThreshold, CanaryController, CanarySpec, CanaryStep, IfShort, LinearSpec,
};
use super::{
    ImageSpec, Network, NetworkMode, PreDeploySpec, RolloutSpec, RouteSpec, ScalingSpec, ServiceSpec,
    Strategy, TaskSpec, VerifySpec,
};
use crate::registry::Registry;
use crate::rollout_settings::Bounds;

/// CloudWatch's limit of an alarm's name (`PutMetricAlarm`).
pub(super) const ALARM_NAME_MAX: usize = 255;
/// ECS's quota of tasks a service.
const TASKS_PER_SERVICE: u32 = 5000;
/// ECS's limit of cluster, service and container names.
const ECS_NAME_MAX: usize = 255;
/// Half of what a row remembers of a family (`KEPT_REGISTERED`).
const REVISIONS_MAX: u32 = 100;
/// Two weeks: the longest that ECS's PAUSE hook waits.
pub(super) const TWO_WEEKS_MINUTES: u32 = 20_160;
/// The longest bake time and step that ECS takes.
pub(super) const DAY_MINUTES: u32 = 1440;

impl ServiceSpec {
    pub(super) fn check_into(&self, checks: &mut Checks) {
        let Self {
            cluster,
            service,
            image,
            task,
            desired,
            network,
            route,
            rollout,
            verify,
            pre_deploy,
            scan,
            scaling,
            freeze,
            after,
            keep_revisions,
        } = self;
        for (key, name) in [
            ("cluster", cluster.as_ref().map(AsRef::as_ref)),
            ("service", service.as_ref().map(AsRef::as_ref)),
        ] {
            checks.need(name.is_none_or(is_ecs_name), key, ECS_NAME);
        }
        checks.within("image", |checks| check_image(image, checks));
        checks.range("desired", *desired, 0..=TASKS_PER_SERVICE);
        within(checks, "task", task.as_ref(), check_task);
        within(checks, "network", network.as_ref(), check_network);
        within(checks, "route", route.as_ref(), RouteSpec::check_into);
        within(checks, "rollout", rollout.as_ref(), check_rollout);
        within(checks, "verify", verify.as_ref(), VerifySpec::check_into);
        within(checks, "pre_deploy", pre_deploy.as_ref(), PreDeploySpec::check_into);
        within(checks, "scan", scan.as_ref(), |scan, checks| {
            checks.range("timeout_minutes", scan.timeout_minutes, 1..=DAY_MINUTES);
        });
        within(checks, "scaling", scaling.as_ref(), ScalingSpec::check_into);
        checks.each("freeze", freeze, |checks, window| window.check_into(checks));
        within(checks, "after", after.as_ref(), |after, checks| after.check_into(&image.policy, checks));
        check_keep_revisions(*keep_revisions, checks);
        within(checks, "verify", verify.as_ref(), |verify, checks| {
            verify.check_with(rollout.as_ref(), route.as_ref(), checks);
        });
        self.check_across(checks);
    }

    /// What two sections say of each other.
    fn check_across(&self, checks: &mut Checks) {
        let Some(task) = &self.task else { return };
        let awsvpc = task.network_mode == NetworkMode::Awsvpc;
        checks.need(
            !awsvpc || self.network.is_some(),
            "network",
            "tasks in awsvpc mode need subnets: add `network: {subnets: […], security_groups: […]}`",
        );
        checks.need(
            awsvpc || self.network.is_none(),
            "network",
            "is for tasks in awsvpc mode alone: set `task.network_mode: awsvpc`, or leave it out",
        );
        checks.need(
            self.route.is_none() || task.port.is_some(),
            "task.port",
            "a service with a route needs the port that its container listens on",
        );
        let rollout = self.rollout_or_default();
        let rolls = rollout.strategy == Strategy::Rolling && rollout.min_healthy_percent <= 100;
        checks.need(
            !rolls
                || Bounds::of(self.desired, rollout.min_healthy_percent, rollout.max_percent).permit_a_move(),
            "rollout",
            format!(
                "with {} desired, at least {} % (rounded up) and at most {} % (rounded down) leave no room to \
                 replace a task: lower `min_healthy_percent`, or raise `max_percent`",
                self.desired, rollout.min_healthy_percent, rollout.max_percent
            ),
        );
    }
}

/// At least the newest: a pass that died may have registered it for what comes.
pub(super) fn check_keep_revisions(keep: Option<u32>, checks: &mut Checks) {
    if let Some(keep) = keep {
        checks.range("keep_revisions", keep, 1..=REVISIONS_MAX);
    }
}

pub(super) fn within<T>(
    checks: &mut Checks,
    key: &str,
    section: Option<&T>,
    walk: impl FnOnce(&T, &mut Checks),
) {
    if let Some(section) = section {
        checks.within(key, |checks| walk(section, checks));
    }
}

const ECS_NAME: &str = "wants 1 to 255 letters, digits, `-` and `_`";

/// ECS's rule for cluster, service and container names.
pub(super) fn is_ecs_name(name: &str) -> bool {
    (1..=ECS_NAME_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

fn check_image(image: &ImageSpec, checks: &mut Checks) {
    let ImageSpec { repository, policy: _, containers } = image;
    if let Err(detail) = check_repository(repository.as_str()) {
        checks.refuse("repository", detail);
    }
    for container in containers {
        checks.need(is_ecs_name(container.as_str()), "containers", format!("`{container}`: {ECS_NAME}"));
    }
    checks.distinct("containers", containers);
}

/// ECR's rule (`CreateRepository`): 2 to 256 characters, lower-case words joined by `.`, `_`
/// or `-`, in parts joined by `/`. A registry of ECR may stand before it.
pub(super) fn check_repository(name: &str) -> Result<(), String> {
    let name = match name.split_once('/') {
        Some((host, name)) if Registry::of_host(host).is_some() => name,
        _ => name,
    };
    if name.contains(':') || [".dkr.ecr", ".dkr-ecr", ".amazonaws.com"].iter().any(|part| name.contains(part))
    {
        return Err(
            "wants the repository's name without a tag; before another account's its registry, as in \
                    `111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop`"
                .into(),
        );
    }
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let good =
        (2..=256).contains(&name.len()) && name.split('/').all(|part| part.split(['.', '_', '-']).all(word));
    if good {
        return Ok(());
    }
    Err("wants an ECR repository's name: 2 to 256 lower-case letters and digits, with single `.`, `_`, `-` \
         and `/` between them"
        .into())
}

fn check_network(network: &Network, checks: &mut Checks) {
    let Network { subnets, security_groups } = network;
    // ECS's quotas of an awsvpcConfiguration.
    checks.need((1..=16).contains(&subnets.len()), "subnets", "wants 1 to 16");
    checks.need(security_groups.len() <= 5, "security_groups", "wants at most 5");
    for (key, ids, prefix) in [("subnets", subnets, "subnet-"), ("security_groups", security_groups, "sg-")] {
        for id in ids {
            checks.need(id.starts_with(prefix), key, format!("`{id}` does not begin with `{prefix}`"));
        }
        checks.distinct(key, ids);
    }
}

fn check_task(task: &TaskSpec, checks: &mut Checks) {
    let TaskSpec {
        container,
        cpu,
        memory,
        port,
        env,
        secrets,
        command: _,
        task_role,
        execution_role,
        network_mode: _,
        stop_timeout_secs,
        log,
        architecture: _,
    } = task;
    checks.need(container.as_ref().is_none_or(|name| is_ecs_name(name.as_str())), "container", ECS_NAME);
    checks.need(*cpu > 0, "cpu", "wants at least 1 unit; 1024 are a vCPU");
    // RegisterTaskDefinition: Docker 20.10 and later reserve 6 MiB at least.
    checks.need(*memory >= 6, "memory", "wants at least 6 MiB");
    checks.need(*port != Some(0), "port", "0 is not in 1 to 65535");
    checks.need(stop_timeout_secs != &Some(0), "stop_timeout_secs", "wants at least 1 s");
    check_variables(env, "env", checks);
    check_secrets(secrets, env, checks);
    checks.need(
        secrets.is_empty() || execution_role.is_some(),
        "execution_role",
        "ECS reads secrets with this role: name one that may",
    );
    for (key, role) in [("task_role", task_role), ("execution_role", execution_role)] {
        checks.need(role.as_deref().is_none_or(is_role), key, "wants an IAM role's ARN, or its name");
    }
    within(checks, "log", log.as_ref(), |log, checks| {
        // CloudWatch Logs (`CreateLogGroup`).
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b'/' | b'#');
        let fits = (1..=512).contains(&log.group.len()) && log.group.bytes().all(good);
        checks.need(fits, "group", "wants 1 to 512 letters, digits and any of `. - _ / #`");
        let region = |text: &str| {
            text.split('-').count() >= 3 && text.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
        };
        checks.need(log.region.as_deref().is_none_or(region), "region", "wants a Region: `eu-central-1`");
        checks.need(
            log.prefix.as_deref().is_none_or(|prefix| !prefix.is_empty() && !prefix.contains([':', '*'])),
            "prefix",
            "wants at least one character, no `:` and no `*`",
        );
    });
}

pub(super) fn check_variables(variables: &BTreeMap<String, String>, key: &str, checks: &mut Checks) {
    for name in variables.keys() {
        let good = !name.is_empty() && !name.contains(['=', '\0']);
        checks.need(good, key, format!("`{name}` cannot name a variable: at least one character, no `=`"));
    }
}

fn check_secrets(secrets: &BTreeMap<String, String>, env: &BTreeMap<String, String>, checks: &mut Checks) {
    check_variables(secrets, "secrets", checks);
    for (name, from) in secrets {
        checks.need(
            is_secret(from),
            "secrets",
            format!("`{name}` wants the ARN of a Secrets Manager secret or an SSM parameter, or a parameter's name"),
        );
        checks.need(!env.contains_key(name), "secrets", format!("`{name}` is in `env` too: ECS takes one"));
    }
}

/// ECS's `valueFrom`: a full ARN, or a parameter's name in the same Region.
fn is_secret(from: &str) -> bool {
    if let Some(arn) = from.strip_prefix("arn:") {
        return matches!(arn.split(':').nth(1), Some("secretsmanager" | "ssm"))
            && arn.split(':').count() >= 5;
    }
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-' | b'/');
    !from.is_empty() && from.bytes().all(good)
}

/// IAM's rule: a name of 1 to 64 characters, in an ARN perhaps below a path.
fn is_role(role: &str) -> bool {
    let name = match role.strip_prefix("arn:") {
        None => role,
        Some(arn) => match arn.split_once(":iam::").and_then(|(_, rest)| rest.split_once(":role/")) {
            Some((account, path)) if account.len() == 12 => path.rsplit('/').next().unwrap_or(path),
            _ => return false,
        },
    };
    let good = |b: u8| b.is_ascii_alphanumeric() || b"_+=,.@-".contains(&b);
    (1..=64).contains(&name.len()) && name.bytes().all(good)
}

fn check_rollout(rollout: &RolloutSpec, checks: &mut Checks) {
    let RolloutSpec {
        strategy,
        min_healthy_percent,
        max_percent,
        circuit_breaker,
        breaker_threshold,
        early_success_percent,
        alarms,
        ringing_alarm: _,
        bake_minutes,
        timeout_minutes,
        grace_secs,
        test_route,
        approval,
        room,
    } = rollout;
    checks.range("min_healthy_percent", *min_healthy_percent, 0..=100);
    checks.range("max_percent", *max_percent, 100..=200);
    if let Some(threshold) = breaker_threshold {
        checks.need(*circuit_breaker, "breaker_threshold", "wants `circuit_breaker: true`");
        match threshold {
            BreakerThreshold::Tasks(tasks) => checks.range("breaker_threshold.tasks", *tasks, 1..=5000),
            BreakerThreshold::Percent(percent) => {
                checks.range("breaker_threshold.percent", *percent, 1..=100);
            }
        }
    }
    if let Some(percent) = early_success_percent {
        let least = (*min_healthy_percent).clamp(1, 100);
        checks.range("early_success_percent", *percent, least..=100);
        let is_rolling = *strategy == Strategy::Rolling;
        checks.need(is_rolling, "early_success_percent", "is for `strategy: rolling` alone: ECS's rule");
    }
    check_alarms(alarms, checks);
    checks.range("bake_minutes", bake_minutes.unwrap_or_default(), 0..=DAY_MINUTES);
    checks.range("timeout_minutes", *timeout_minutes, 1..=TWO_WEEKS_MINUTES);
    // healthCheckGracePeriodSeconds is a signed 32-bit number.
    checks.range("grace_secs", *grace_secs, 0..=i32::MAX.unsigned_abs());
    checks.within("strategy", |checks| match strategy {
        Strategy::Rolling | Strategy::BlueGreen => {}
        Strategy::Canary(canary) => checks.within("canary", |checks| check_canary(canary, checks)),
        Strategy::Linear(linear) => checks.within("linear", |checks| check_linear(linear, checks)),
    });
    within(checks, "test_route", test_route.as_ref(), |test, checks| {
        super::route::check_header(&test.header, &test.values, checks);
        checks.need(
            (1..=5).contains(&test.values.len()),
            "values",
            "wants 1 to 5: the load balancer's quota",
        );
    });
    let is_rolling = *strategy == Strategy::Rolling;
    let wants_two_sets = "wants a strategy with a second set of tasks: `blue_green`, `canary` or `linear`";
    checks.need(!is_rolling || test_route.is_none(), "test_route", wants_two_sets);
    let is_gate = approval.as_ref().is_none_or(|approval| approval.before == ApprovalBefore::Rollout);
    checks.need(!is_rolling || is_gate, "approval.before", wants_two_sets);
    within(checks, "approval", approval.as_ref(), |approval, checks| {
        checks.range("timeout_minutes", approval.timeout_minutes, 1..=TWO_WEEKS_MINUTES);
    });
    within(checks, "room", room.as_ref(), |room, checks| {
        checks.range("wait_minutes", room.wait_minutes, 0..=DAY_MINUTES);
        let asks = test_route.is_some() || !is_gate;
        let words =
            "would pass by `test_route` and `approval`, which want a second set of tasks: `wait` or `go`";
        checks.need(room.if_short != IfShort::Slower || !asks, "if_short", words);
    });
}

pub(super) fn check_alarms(alarms: &[String], checks: &mut Checks) {
    for alarm in alarms {
        checks.text("alarms", alarm, ALARM_NAME_MAX);
    }
    checks.distinct("alarms", alarms);
}

fn check_canary(canary: &CanarySpec, checks: &mut Checks) {
    checks.need(!canary.steps.is_empty(), "steps", "wants at least one: `- {percent: 10, minutes: 10}`");
    let mut before = 0;
    checks.each("steps", &canary.steps, |checks, step| {
        let tenths = step.percent.tenths();
        checks.need(tenths > before, "percent", "wants more than the step before it, and more than 0");
        before = tenths;
        checks.range("minutes", step.minutes, 0..=TWO_WEEKS_MINUTES);
    });
    if canary.controller == CanaryController::Ecs {
        let detail = "ECS's own canary takes one step of at most a day without an approval; \
                      `controller: windlass` takes any";
        let fits = |step: &CanaryStep| !step.approval && step.minutes <= DAY_MINUTES;
        checks.need(canary.steps.len() == 1 && canary.steps.iter().all(fits), "steps", detail);
    }
}

fn check_linear(linear: &LinearSpec, checks: &mut Checks) {
    // ECS's linearConfiguration.
    checks.need(linear.step_percent.tenths() >= 30, "step_percent", "wants 3 to 100");
    checks.range("step_minutes", linear.step_minutes, 0..=DAY_MINUTES);
}
