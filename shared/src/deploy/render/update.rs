//! What an update changes beside the revision: before → after, a line each, and only what
//! changes. It knows nothing of why.

use crate::deploy::plan::{AdvancedBalancing, Made, RolloutSettings, UpdateLoadBalancer, Was};
use crate::facts::LiveBalancing;
use crate::rollout_settings::{Hook, HookTarget, Shift};
use crate::spec::{BreakerThreshold, OnTimeout};

/// The lines of an update: its settings first, then its target groups and rules.
pub(super) fn lines(
    was: Option<&Was>,
    settings: Option<&RolloutSettings>,
    load_balancer: Option<&UpdateLoadBalancer>,
) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(settings) = settings {
        lines.extend(changed(was.map(|was| &was.settings), settings));
    }
    if let Some(load_balancer) = load_balancer {
        let before = was.and_then(|was| was.balancing.as_ref());
        lines.extend(rebalanced(before, load_balancer.advanced.as_ref()));
    }
    lines
}

/// Settings of a service to make, where they are not ECS's own.
pub(super) fn chosen(settings: &RolloutSettings) -> Vec<String> {
    let own = words(&RolloutSettings::default());
    let chosen = words(settings).into_iter().zip(own).filter(|(now, own)| now != own);
    let lines = chosen.map(|((what, now), _)| format!("{what}: {now}"));
    lines.chain(settings.hooks.iter().map(|it| format!("hook: {}", hook(it)))).collect()
}

fn changed(before: Option<&RolloutSettings>, after: &RolloutSettings) -> Vec<String> {
    let Some(before) = before else { return chosen(after) };
    let pairs = words(before).into_iter().zip(words(after)).filter(|(was, now)| was != now);
    let mut lines: Vec<String> =
        pairs.map(|((what, was), (_, now))| format!("{what}: {was} → {now}")).collect();
    let gone = before.hooks.iter().filter(|it| !after.hooks.contains(it));
    lines.extend(gone.map(|it| format!("hook: {} → none", hook(it))));
    let new = after.hooks.iter().filter(|it| !before.hooks.contains(it));
    lines.extend(new.map(|it| format!("hook: none → {}", hook(it))));
    lines
}

/// Everything but the hooks, in one order: what it is, and how it stands.
fn words(settings: &RolloutSettings) -> [(&'static str, String); 7] {
    let RolloutSettings {
        min_healthy_percent,
        max_percent,
        circuit_breaker,
        breaker_threshold,
        early_success_percent,
        alarms,
        bake_minutes,
        shift,
        hooks: _,
    } = settings;
    [
        ("strategy", strategy(*shift)),
        ("steps", steps(*shift)),
        ("bake", format!("{bake_minutes} min")),
        ("healthy", format!("{min_healthy_percent} % to {max_percent} %")),
        ("circuit breaker", breaker(*circuit_breaker, *breaker_threshold)),
        (
            "early success",
            early_success_percent.map_or_else(|| "off".to_owned(), |percent| format!("at {percent} %")),
        ),
        ("alarms", if alarms.is_empty() { "none".to_owned() } else { alarms.join(", ") }),
    ]
}

fn strategy(shift: Shift) -> String {
    match shift {
        Shift::Rolling => "rolling",
        Shift::BlueGreen => "blue/green",
        Shift::Canary { .. } => "canary",
        Shift::Linear { .. } => "linear",
    }
    .to_owned()
}

fn steps(shift: Shift) -> String {
    match shift {
        Shift::Rolling => "with the tasks".to_owned(),
        Shift::BlueGreen => "all requests at once".to_owned(),
        Shift::Canary { percent, minutes } => format!("{percent}, the rest after {minutes} min"),
        Shift::Linear { percent, minutes } => format!("{percent} each {minutes} min"),
    }
}

fn breaker(is_on: bool, threshold: Option<BreakerThreshold>) -> String {
    match (is_on, threshold) {
        (false, _) => "off".to_owned(),
        (true, None) => "on".to_owned(),
        (true, Some(BreakerThreshold::Tasks(tasks))) => format!("on, at {tasks} failed task(s)"),
        (true, Some(BreakerThreshold::Percent(percent))) => format!("on, at {percent} % failed tasks"),
    }
}

fn hook(hook: &Hook) -> String {
    let Hook { asks, stages, timeout_minutes, on_timeout } = hook;
    let whom = match asks {
        HookTarget::Pause => "a person",
        HookTarget::Function { function, role: _ } => function.rsplit(':').next().unwrap_or(function),
    };
    let stages: Vec<String> = stages.iter().map(ToString::to_string).collect();
    let silence = match on_timeout {
        OnTimeout::Rollback => "rolls back",
        OnTimeout::Continue => "goes on",
    };
    format!("asks {whom} at {}; silence of {timeout_minutes} min {silence}", stages.join(" and "))
}

fn rebalanced(before: Option<&LiveBalancing>, after: Option<&AdvancedBalancing>) -> Vec<String> {
    let was = before.map(|live| {
        [
            group(live.alternate.as_str()),
            rule(live.production_rule.as_str()),
            live.test_rule.as_ref().map_or_else(none, |it| rule(it.as_str())),
            role(&live.role),
        ]
    });
    let now = after.map(|wanted| {
        let of_rule = |made: &Made<_>| made_word(made, crate::id::RuleArn::as_str, rule);
        [
            made_word(&wanted.alternate, crate::id::TargetGroupArn::as_str, group),
            of_rule(&wanted.production_rule),
            wanted.test_rule.as_ref().map_or_else(none, of_rule),
            role(&wanted.role),
        ]
    });
    let empty = || [none(), none(), none(), none()];
    let whats = ["alternate group", "production rule", "test rule", "shifts in the role"];
    let pairs = was.unwrap_or_else(empty).into_iter().zip(now.unwrap_or_else(empty));
    let lines = whats.into_iter().zip(pairs).filter(|(_, (was, now))| was != now);
    lines.map(|(what, (was, now))| format!("{what}: {was} → {now}")).collect()
}

fn none() -> String {
    "none".to_owned()
}

fn made_word<T>(made: &Made<T>, text: fn(&T) -> &str, short: fn(&str) -> String) -> String {
    match made {
        Made::Already(arn) => short(text(arn)),
        Made::ByThisPlan(name) => format!("{name} (new)"),
    }
}

/// `targetgroup/<name>/<id>`: its name.
fn group(arn: &str) -> String {
    arn.rsplit('/').nth(1).unwrap_or(arn).to_owned()
}

/// `…/<listener>/<id>`: its own id.
fn rule(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}

/// `…:role/<name>`: its name.
fn role(arn: &str) -> String {
    arn.rsplit('/').next().unwrap_or(arn).to_owned()
}
