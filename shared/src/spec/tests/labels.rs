use std::collections::BTreeMap;

use super::super::*;
use crate::image::Policy;

fn rails() -> GuardRails {
    GuardRails {
        enabled: true,
        clusters: ["main".into()].into(),
        path_prefixes: vec!["/admin".into()],
        hosts: vec!["*.example.com".into()],
        max_cpu: 512,
        max_memory: 1024,
        max_desired: 4,
    }
}

fn read(labels: &[(&str, &str)]) -> Result<Option<(ServiceKey, ServiceSpec)>, LabelRefusal> {
    let labels: BTreeMap<String, String> =
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    from_labels(&"team/admin".into(), &labels, &rails(), &"main".into())
}

#[test]
fn an_image_without_our_labels_wants_nothing() {
    assert_eq!(read(&[("org.opencontainers.image.version", "1"), ("windlassy", "x")]), Ok(None));
}

#[test]
fn a_path_and_a_port_make_a_service_with_the_defaults() {
    let (key, spec) =
        read(&[("windlass.path", "/admin, /admin/*"), ("windlass.port", "8080")]).unwrap().unwrap();
    assert_eq!(key, ServiceKey::new("main", "admin"));
    assert_eq!(spec.image.policy, Policy::Newest);
    assert_eq!(spec.route.as_ref().unwrap().paths, ["/admin", "/admin/*"]);
    let task = spec.task.unwrap();
    assert_eq!((task.cpu, task.memory, task.port, spec.desired), (256, 512, Some(8080), 1));
    assert_eq!(task.task_role, None, "labels give no rights");
}

#[test]
fn without_path_and_host_it_is_a_worker() {
    let (key, spec) = read(&[("windlass.service", "mailer")]).unwrap().unwrap();
    assert_eq!((key.service.as_str(), spec.route), ("mailer", None));
}

#[test]
fn every_label_finds_its_place() {
    let (key, spec) = read(&[
        ("windlass.cluster", "main"),
        ("windlass.cpu", "512"),
        ("windlass.deregistration_delay", "5"),
        ("windlass.desired", "3"),
        ("windlass.grace", "9"),
        ("windlass.health", "/ok"),
        ("windlass.health_interval", "7"),
        ("windlass.health_matcher", "204"),
        ("windlass.health_timeout", "3"),
        ("windlass.host", "admin.example.com"),
        ("windlass.memory", "1024"),
        ("windlass.path", "/admin/*"),
        ("windlass.policy", "semver=1.x"),
        ("windlass.port", "80"),
        ("windlass.service", "back-office"),
        ("windlass.stop_timeout", "11"),
    ])
    .unwrap()
    .unwrap();
    insta::assert_snapshot!(format!("{key} {}", spec.canonical()), @r#"main/back-office {"image":{"repository":"team/admin","policy":{"semver":"1.*"}},"task":{"cpu":512,"memory":1024,"port":80,"network_mode":"bridge","stop_timeout_secs":11},"desired":3,"route":{"paths":["/admin/*"],"hosts":["admin.example.com"],"health":{"path":"/ok","matcher":"204","interval_secs":7,"timeout_secs":3,"healthy_threshold":2,"unhealthy_threshold":2},"deregistration_delay_secs":5,"priority":"auto"},"rollout":{"strategy":"rolling","min_healthy_percent":100,"max_percent":200,"circuit_breaker":true,"timeout_minutes":30,"grace_secs":9}}"#);
}

#[test]
fn the_guard_rails_hold() {
    for (labels, allowed) in [
        (vec![("windlass.path", "/admin/*")], true),
        (vec![("windlass.path", "/admin")], true),
        (vec![("windlass.path", "/admin*")], false),
        (vec![("windlass.path", "/administration")], false),
        (vec![("windlass.path", "/*")], false),
        (vec![("windlass.path", "*/admin")], false),
        (vec![("windlass.path", "/admin/*,/")], false),
        (vec![("windlass.host", "a.example.com")], true),
        (vec![("windlass.host", "A.Example.com")], true),
        (vec![("windlass.host", "*.example.com")], true),
        (vec![("windlass.host", "example.com")], false),
        (vec![("windlass.host", "*example.com")], false),
        (vec![("windlass.host", "a.example.com.evil.net")], false),
        (vec![("windlass.host", "*")], false),
        (vec![("windlass.cpu", "512")], true),
        (vec![("windlass.cpu", "513")], false),
        (vec![("windlass.memory", "1025")], false),
        (vec![("windlass.desired", "5")], false),
        (vec![("windlass.cluster", "production")], false),
    ] {
        let with_port = [labels.clone(), vec![("windlass.port", "80")]].concat();
        assert_eq!(read(&with_port).is_ok(), allowed, "{labels:?}");
    }
}

#[test]
fn empty_guard_rails_allow_nothing_and_switched_off_ones_say_so() {
    let labels = BTreeMap::from([("windlass.service".to_owned(), "a".to_owned())]);
    let read = |rails: &GuardRails| {
        from_labels(&"a1".into(), &labels, rails, &"main".into()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(read(&GuardRails::default()), @r#"
    no service is made from the labels of a1
    the stack makes no services from labels: allow it with its label parameters, or write a spec and `windlass apply` it
    "#);
    insta::assert_snapshot!(read(&GuardRails { enabled: true, ..GuardRails::default() }), @r#"
    no service is made from the labels of a1
    label `windlass.cluster=main (the default)` is not allowed: none is; change the label, or the stack's guard rails, or write a spec and `windlass apply` it
    label `windlass.cpu=256 (the default)` is not allowed: at most 0 is; change the label, or the stack's guard rails, or write a spec and `windlass apply` it
    label `windlass.memory=512 (the default)` is not allowed: at most 0 is; change the label, or the stack's guard rails, or write a spec and `windlass apply` it
    label `windlass.desired=1 (the default)` is not allowed: at most 0 is; change the label, or the stack's guard rails, or write a spec and `windlass apply` it
    "#);
}

#[test]
fn one_refusal_tells_all_that_is_wrong() {
    let refusal = read(&[
        ("windlass.pth", "/admin/*"),
        ("windlass.port", "http"),
        ("windlass.colour", "red"),
        ("windlass.policy", "semver=x.y.z"),
        ("windlass.memory", "9999"),
    ]);
    insta::assert_snapshot!(refusal.unwrap_err(), @r#"
    no service is made from the labels of team/admin
    unknown label `windlass.colour`: known are windlass.cluster, windlass.cpu, windlass.deregistration_delay, windlass.desired, windlass.grace, windlass.health, windlass.health_interval, windlass.health_matcher, windlass.health_timeout, windlass.host, windlass.memory, windlass.path, windlass.policy, windlass.port, windlass.service, windlass.stop_timeout
    unknown label `windlass.pth`: did you mean `windlass.path`?
    label `windlass.policy=semver=x.y.z`: the version range `x.y.z` cannot be read: unexpected character after wildcard in version req; write `1.x`, `1.2.x`, `=1.2.3`, or with commas `>=1.2.0, <2.0.0`; correct it in the Dockerfile and push again
    label `windlass.port=http`: wants a whole number; correct it in the Dockerfile and push again
    label `windlass.memory=9999` is not allowed: at most 1024 is; change the label, or the stack's guard rails, or write a spec and `windlass apply` it
    "#);
}

#[test]
fn labels_that_contradict_each_other_are_refused() {
    insta::assert_snapshot!(read(&[("windlass.path", "/admin/*")]).unwrap_err(), @r#"
    no service is made from the labels of team/admin
    the labels together: `task.port`: a service with a route needs the port that its container listens on; correct them in the Dockerfile and push again
    "#);
    insta::assert_snapshot!(read(&[("windlass.service", "a.b"), ("windlass.path", "")]).unwrap_err(), @r#"
    no service is made from the labels of team/admin
    the labels together: `service`: wants 1 to 255 letters, digits, `-` and `_`; correct them in the Dockerfile and push again
    the labels together: `route`: matches nothing: give it `paths`, `hosts`, `headers`, `methods` or `query` (`paths: ["/*"]` takes every request); correct them in the Dockerfile and push again
    the labels together: `task.port`: a service with a route needs the port that its container listens on; correct them in the Dockerfile and push again
    "#);
}
