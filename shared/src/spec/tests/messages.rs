use super::{refused, verdict};

#[test]
fn an_unknown_key_is_told_with_its_path_and_the_nearest_known_one() {
    let yaml = "image: {repository: shop, polcy: latest}\nrollout:\n  stratgy: rolling\n  colour: red\nroute:\n  paths: [/a]\n  health:\n    pth: /\n";
    insta::assert_snapshot!(refused(yaml), @"
    line 1: unknown key `image.polcy`: did you mean `policy`?
    line 3: unknown key `rollout.stratgy`: did you mean `strategy`?
    line 4: unknown key `rollout.colour`: known here: alarms, approval, bake_minutes, breaker_threshold, circuit_breaker, early_success_percent, grace_secs, max_percent, min_healthy_percent, ringing_alarm, room, strategy, test_route, timeout_minutes
    line 8: unknown key `route.health.pth`: did you mean `path`?
    ");
}

#[test]
fn unknown_keys_are_found_in_every_kind_of_place() {
    let yaml = "image: {repository: shop, policy: {semvr: 1.x}}\nscaling: {min: 1, max: 2, rules: [{stp: {}}, {target: {alarm: a, trget: 1}}]}\nrollout: {strategy: {canary: {stepz: []}}}\nroute: {paths: [/a], headers: {anything: [goes]}, rules: [{path: [/b]}]}";
    insta::assert_snapshot!(refused(yaml), @r#"
    line 1: unknown key `image.policy.semvr`: did you mean `semver`?
    line 2: unknown key `scaling.rules[0].stp`: did you mean `step`?
    line 2: unknown key `scaling.rules[1].target.trget`: did you mean `target`?
    line 3: unknown key `rollout.strategy.canary.stepz`: did you mean `steps`?
    line 4: unknown key `route.rules[0].path`: did you mean `paths`?
    "#);
}

#[test]
fn a_wrong_type_is_told_with_path_and_line_in_our_words() {
    let yamls = [
        "image:\n  repository: shop\ndesired: many",
        "image: {repository: shop}\ntask: {cpu: 256, memory: 512, port: 70000}",
        "image: {repository: shop}\nroute:\n  paths: /admin/*",
        "image: {repository: shop}\nroute: {paths: [/a], priority: first}",
        "image: {repository: shop}\nrollout: {strategy: roling}",
        "image: {repository: shop}\nrollout: {circuit_breaker: yes}",
        "image: {repository: shop, policy: 1.10}",
        "image: {repository: shop, policy: 20240101}",
        "image: {repository: shop, policy: {regex: 'v('}}",
        "image: {repository: shop, policy: {semver: 'one'}}",
        "image: {repository: shop, policy: {semver: '>=1.0.0 <2.0.0'}}",
        "image: {repository: shop, policy: {glob: 'v['}}",
        "image: {repository: shop, policy: 'a b'}",
        "image: {repository: shop, policy: 'semvr=1.x'}",
        "image: {repository: shop, policy: {tag: a, glob: b}}",
        "image: {repository: shop}\nrollout: {strategy: {linear: {step_percent: 12.34, step_minutes: 1}}}",
        "image: {repository: shop}\ntask: {cpu: 256, memory: 512, env: {EMPTY: }}",
        "desired: 1",
        "image: {repository: shop}\ndesired: 1\ndesired: 2",
        "- image",
        "",
        "image: [",
        "image: {repository: shop}\n---\nimage: {repository: shop}",
    ];
    let table: Vec<String> = yamls.iter().map(|yaml| format!("{yaml:?}\n    {}", refused(yaml))).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let yaml = "image:\n  repository: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop:v1\ntask:\n  cpu: 0\n  memory: 1\nroute:\n  paths: [admin]\n  health:\n    interval_secs: 5\n    timeout_secs: 5\nrollout:\n  min_healthy_percent: 101\n  max_percent: 100\n";
    insta::assert_snapshot!(refused(yaml), @r#"
    line 2: `image.repository`: wants the repository's name without a tag; before another account's its registry, as in `111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop`
    line 3: `task.port`: a service with a route needs the port that its container listens on
    line 4: `task.cpu`: wants at least 1 unit; 1024 are a vCPU
    line 5: `task.memory`: wants at least 6 MiB
    line 7: `route.paths[0]`: wants a path that begins with `/`
    line 10: `route.health.timeout_secs`: wants less than `interval_secs`
    line 12: `rollout.min_healthy_percent`: 101 is not in 0 to 100
    "#);
}

/// One line for each limit: what is on it, and what is said one beyond it.
#[test]
fn the_limits_are_awss_and_the_messages_say_them() {
    let lines = [
        "service: a b",
        "desired: 5000",
        "desired: 5001",
        "network: {subnets: []}",
        "network: {subnets: [vpc-1]}",
        "task: {cpu: 1, memory: 6}",
        "task: {cpu: 1, memory: 5}",
        "task: {cpu: 1, memory: 6, port: 0}",
        "task: {cpu: 1, memory: 6, network_mode: awsvpc}",
        "task: {cpu: 1, memory: 6}\nnetwork: {subnets: [subnet-1]}",
        "task: {cpu: 1, memory: 6}\nroute: {paths: [/]}",
        "task: {cpu: 1, memory: 6, secrets: {A: /a}}",
        "task: {cpu: 1, memory: 6, secrets: {A: 'arn:aws:s3:::bucket'}, execution_role: e}",
        "task: {cpu: 1, memory: 6, secrets: {A: /a}, env: {A: b}, execution_role: e}",
        "task: {cpu: 1, memory: 6, task_role: 'arn:aws:iam::123456789012:user/ann'}",
        "task: {cpu: 1, memory: 6, env: {'A=B': c}}",
        "task: {cpu: 1, memory: 6, log: {group: 'a b'}}",
        "task: {cpu: 1, memory: 6}\nrollout: {max_percent: 100}",
        "task: {cpu: 1, memory: 6}\nrollout: {min_healthy_percent: 50, max_percent: 150}",
        "task: {cpu: 1, memory: 6}\ndesired: 2\nrollout: {min_healthy_percent: 50, max_percent: 100}",
        "route: {}",
        "route: {listener: main, paths: [/]}",
        "route: {paths: [/a, /b, /c, /d, /e]}",
        "route: {paths: [/a, /b, /c, /d, /e, /f]}",
        "route: {paths: ['/*/*/*/*/*/*']}",
        "route: {paths: ['/*/*/*/*/*/*/*']}",
        "route: {paths: [/a, /a]}",
        "route: {hosts: ['https://shop.example.com']}",
        "route: {methods: [get]}",
        "route: {headers: {Host: [a]}}",
        "route: {headers: {x-a: []}}",
        "route: {query: ['=1']}",
        "route: {paths: [/], priority: 50000}",
        "route: {paths: [/], priority: 0}",
        "route: {paths: [/], priority: 50001}",
        "route: {paths: [/], deregistration_delay_secs: 3601}",
        "route: {paths: [/], health: {matcher: '200-500'}}",
        "route: {paths: [/], health: {matcher: 'ok'}}",
        "route: {paths: [/], health: {path: ok}}",
        "route: {paths: [/], health: {interval_secs: 4, timeout_secs: 2}}",
        "route: {paths: [/], health: {healthy_threshold: 1, unhealthy_threshold: 11}}",
        "route: {paths: [/], weights: {a: 1000}}",
        "route: {paths: [/], weights: {a: 1, b: 1, c: 1, d: 1, e: 1}}",
        "route: {paths: [/], stickiness: {duration_secs: 0}}",
        "route: {paths: [/], rewrites: [{of: url, regex: a, replace: b}, {of: url, regex: c, replace: d}]}",
        "route: {paths: [/], rules: [{}]}",
        "rollout: {max_percent: 201}",
        "rollout: {bake_minutes: 1441}",
        "rollout: {timeout_minutes: 0}",
        "rollout: {alarms: [a, a]}",
        "rollout: {alarms: ['']}",
        "rollout: {strategy: {canary: {steps: []}}}",
        "rollout: {strategy: {canary: {steps: [{percent: 10}, {percent: 10}]}}}",
        "rollout: {strategy: {linear: {step_percent: 2.9, step_minutes: 1}}}",
        "rollout: {approval: {before: traffic, timeout_minutes: 20161}}",
        "rollout: {test_route: {header: 'x y', values: []}}",
        "verify: {}",
        "verify: {http: [{path: a, status: '99', body: '(', tries: 0}]}",
        "verify: {compare: {min_requests: 0}}",
        "rollout: {strategy: blue_green}\nverify: {alarms: [a], timeout_minutes: 0}",
        "rollout: {strategy: blue_green}\nverify: {http: [{path: /a}]}",
        "route: {paths: [/a], hosts: ['*.example.com']}\nrollout: {strategy: blue_green, test_route: {header: x-a, values: ['y*']}}\nverify: {http: [{path: /b, headers: {Host: a}}]}",
        "route: {paths: ['/a/*'], rules: [{paths: ['/b?']}]}\nrollout: {strategy: blue_green, test_route: {header: x-a, values: [y]}}\nverify: {http: [{path: '/a/b/c?d'}, {path: /bc}]}",
        "pre_deploy: {command: []}",
        "scan: {max_severity: high, timeout_minutes: 0}",
        "scaling: {min: 3, max: 2}",
        "scaling: {min: 0, max: 1, rules: [{target: {alarm: a, target: 0}}]}",
        "scaling: {min: 0, max: 1, rules: [{step: {alarm: a, steps: [{beyond: 1, change: 0}, {beyond: 1, change: 1}]}}]}",
        "freeze: [{start: '0 22 * * FRI', minutes: 60}]",
        "freeze: [{start: '*/15 8-18 1,15 JAN-MAR 0-7', minutes: 60}]",
        "freeze: [{start: '0 22 * *', minutes: 60}]",
        "freeze: [{start: '0 24 * * *', minutes: 60}]",
        "freeze: [{start: '0 0 * * FRY', minutes: 60}]",
        "freeze: [{start: '*/0 0 * * *', minutes: 60}]",
        "freeze: [{start: '0 18-8 * * *', minutes: 60}]",
        "freeze: [{start: '0 0 * * *', minutes: 0, timezone: CET time}]",
        "after: {service: shop}",
        "after: {service: main/db, by: tag}",
        "after: {service: main/db, healthy_minutes: 50000}",
    ];
    let table: Vec<String> =
        lines.iter().map(|line| format!("{line}\n    {}", verdict(line).replace('\n', "\n    "))).collect();
    insta::assert_snapshot!(table.join("\n"));
}

#[test]
fn a_strategy_that_shares_nothing_out_or_names_a_group_twice_is_refused() {
    let refused = |text: &str| crate::spec::ClusterSpec::parse(text).unwrap_err().to_string();
    insta::assert_snapshot!(
        refused("capacity: {strategy: [{group: a, base: 1}, {group: b}]}"),
        @"line 1: `capacity.strategy`: wants a `weight` above 0 for one of its groups: who gets the rest?"
    );
    insta::assert_snapshot!(
        refused("capacity:\n  strategy:\n    - {group: a, weight: 1}\n    - {group: a, weight: 1001}"),
        @"
    line 2: `capacity.strategy`: has `a` twice
    line 4: `capacity.strategy[1].weight`: 1001 is not in 0 to 1000
    "
    );
    insta::assert_snapshot!(
        refused("capacity: {strategy: [{group: a, weigth: 1}]}"),
        @"line 1: unknown key `capacity.strategy[0].weigth`: did you mean `weight`?"
    );
}
