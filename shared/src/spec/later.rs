//! Which sections this version checks but does not act on yet.

use super::{RolloutSpec, ServiceSpec};

impl ServiceSpec {
    /// The sections used that this version checks but does not act on.
    pub fn later_sections(&self) -> Vec<&'static str> {
        // Destructured, so that a new section must be thought about here.
        let Self {
            cluster: _,
            service: _,
            image: _,
            task: _,
            desired: _,
            network: _,
            route: _,
            rollout,
            verify: _,
            pre_deploy: _,
            scan: _,
            scaling: _,
            freeze: _,
            after: _,
            keep_revisions: _,
        } = self;
        let rollout = rollout.iter().flat_map(later_of_rollout);
        rollout.filter_map(|(name, used)| used.then_some(name)).collect()
    }

    /// Those of [`Self::later_sections`] that promise safety: a rollout without them is not
    /// what was asked for, so that it is refused instead.
    pub fn must_refuse(&self) -> Vec<&'static str> {
        self.later_sections()
    }
}

/// None: destructured, so that a new member must be thought about.
fn later_of_rollout(rollout: &RolloutSpec) -> [(&'static str, bool); 0] {
    let RolloutSpec {
        strategy: _,
        min_healthy_percent: _,
        max_percent: _,
        circuit_breaker: _,
        breaker_threshold: _,
        early_success_percent: _,
        alarms: _,
        ringing_alarm: _,
        bake_minutes: _,
        timeout_minutes: _,
        grace_secs: _,
        test_route: _,
        approval: _,
    } = rollout;
    []
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_rollout_is_acted_on() {
        let gates =
            "pre_deploy: {command: [migrate]}\nscan: {max_severity: medium}\nafter: {service: staging/shop}";
        let spec = ServiceSpec::parse(&format!("image: {{repository: shop}}\n{gates}")).unwrap();
        assert_eq!(spec.later_sections(), Vec::<&str>::new());
    }

    #[test]
    fn what_ecs_carries_out_is_not_named() {
        let all = "image: {repository: shop}\nrollout: {strategy: linear_or_so, bake_minutes: 5, \
                   approval: {before: traffic}, test_route: {header: x-test, values: [a]}}";
        for strategy in [
            "blue_green",
            "{linear: {step_percent: 10, step_minutes: 5}}",
            "{canary: {controller: ecs, steps: [{percent: 5, minutes: 10}]}}",
        ] {
            let spec = ServiceSpec::parse(&all.replace("linear_or_so", strategy)).unwrap();
            assert_eq!(spec.later_sections(), Vec::<&str>::new(), "{strategy}");
        }
        let rolling = "image: {repository: shop}\nrollout: {bake_minutes: 5, breaker_threshold: {tasks: 2}, \
                       early_success_percent: 100}";
        assert_eq!(ServiceSpec::parse(rolling).unwrap().later_sections(), Vec::<&str>::new());
    }

    #[test]
    fn what_a_canary_of_windlass_acts_on_is_not_refused() {
        let all = "image: {repository: shop}\nverify: {alarms: [a]}\n\
                   rollout: {strategy: {canary: {steps: [{percent: 2.5, minutes: 10, approval: true}]}},\n\
                   test_route: {header: x-test, values: [a]}, approval: {before: traffic}}";
        assert_eq!(ServiceSpec::parse(all).unwrap().later_sections(), Vec::<&str>::new());
    }

    #[test]
    fn what_this_version_does_act_on_is_not_named() {
        let all = "image: {repository: shop}\ndesired: 2\ntask: {cpu: 256, memory: 512, port: 80}\n\
                   scaling: {min: 1, max: 2}\n\
                   route: {paths: [/a], priority: 7, rules: [{paths: [/b]}], stickiness: {duration_secs: 60}}\n\
                   rollout: {strategy: rolling, bake_minutes: 0, alarms: [a], min_healthy_percent: 50}";
        assert_eq!(ServiceSpec::parse(all).unwrap().later_sections(), Vec::<&str>::new());
    }
}
