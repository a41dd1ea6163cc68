use super::super::*;
use super::WHOLE;
use crate::image::Policy;

#[test]
fn a_spec_of_everything_is_read_and_written_without_loss() {
    let spec = ServiceSpec::parse(WHOLE).unwrap();
    let task = spec.task.as_ref().unwrap();
    assert_eq!(task.env["WORKERS"], "4");
    assert_eq!(task.env["RATIO"], "1.10", "the digits as they were written");
    assert_eq!(spec.image.policy, Policy::semver("1.x").unwrap());
    assert_eq!(spec.route.as_ref().unwrap().priority, Priority::Fixed(120));
    assert_eq!(ServiceSpec::parse(&spec.canonical()).unwrap(), spec);
}

#[test]
fn json_reads_to_the_same_as_yaml() {
    let yaml = "image: {repository: shop, policy: {glob: prod-*}}\nroute: {paths: [/a]}";
    let json =
        r#"{"image": {"repository": "shop", "policy": {"glob": "prod-*"}}, "route": {"paths": ["/a"]}}"#;
    assert_eq!(ServiceSpec::parse(yaml).unwrap(), ServiceSpec::parse(json).unwrap());
}

#[test]
fn the_least_spec_has_the_documented_defaults() {
    let spec = ServiceSpec::parse("image: {repository: shop}\nroute: {paths: [/]}\nrollout: {}").unwrap();
    assert_eq!(spec.image.policy, Policy::Tag("latest".into()));
    assert_eq!(spec.desired, 1);
    let canonical = spec.canonical();
    insta::assert_snapshot!(canonical, @r#"{"image":{"repository":"shop","policy":"latest"},"desired":1,"route":{"paths":["/"],"health":{"path":"/","matcher":"200-399","interval_secs":10,"timeout_secs":5,"healthy_threshold":2,"unhealthy_threshold":2},"deregistration_delay_secs":30,"priority":"auto"},"rollout":{"strategy":"rolling","min_healthy_percent":100,"max_percent":200,"circuit_breaker":true,"timeout_minutes":30,"grace_secs":0}}"#);
}

#[test]
fn without_a_rollout_section_a_service_that_exists_keeps_its_settings() {
    let spec = ServiceSpec::parse("image: {repository: shop}").unwrap();
    assert_eq!(spec.rollout, None);
    assert_eq!(spec.rollout_or_default(), RolloutSpec::default());
}

#[test]
fn the_fingerprint_is_of_what_is_wanted_not_of_how_it_is_written() {
    let print = |yaml: &str| ServiceSpec::parse(yaml).unwrap().fingerprint();
    let one = print("image: {repository: shop}\ndesired: 2");
    assert_eq!(one, print("# a comment\ndesired: 2\nimage:\n  policy: latest\n  repository: shop\n"));
    assert_eq!(one, print("cluster: main\nservice: shop\nimage: {repository: shop}\ndesired: 2"));
    assert_ne!(one, print("image: {repository: shop}\ndesired: 3"));
}

#[test]
fn the_fingerprint_is_of_what_a_rollouts_outcome_depends_on() {
    let spec = |more: &str| ServiceSpec::parse(&format!("image: {{repository: shop}}\n{more}")).unwrap();
    let plain = spec("");
    for more in [
        "freeze: [{start: 0 0 * * THU, minutes: 40, reason: sale}]",
        "scan: {max_severity: high}",
        "after: {service: staging/shop}",
    ] {
        let other = spec(more);
        assert_eq!(plain.fingerprint(), other.fingerprint(), "{more}");
        assert_ne!(plain.whole_fingerprint(), other.whole_fingerprint(), "{more}");
    }
    for more in [
        "rollout: {bake_minutes: 3}",
        "route: {paths: [/shop]}",
        "task: {cpu: 64, memory: 128}",
        "network: {subnets: [subnet-1]}",
    ] {
        assert_ne!(plain.fingerprint(), spec(more).fingerprint(), "{more}");
    }
}

#[test]
fn every_written_form_of_a_policy_reads() {
    for (yaml, canonical) in [
        ("latest", "latest"),
        ("v1.2.3", "v1.2.3"),
        ("\"1.10\"", "1.10"),
        ("{tag: 1.10}", "1.10"),
        ("{tag: newest}", "tag=newest"),
        ("newest", "newest=all"),
        ("newest=all", "newest=all"),
        ("{glob: \"prod-*\"}", "glob=prod-*"),
        ("{prefix: prod-}", "glob=prod-*"),
        ("prefix=prod-", "glob=prod-*"),
        ("{regex: '^v\\d+$'}", "regex=^v\\d+$"),
        ("{semver: \"1.x\"}", "semver=1.*"),
        ("semver=1.2", "semver==1.2"),
        ("{semver: 1.2.3}", "semver==1.2.3"),
        ("{semver: \">=1.0.0, <2.0.0-0\"}", "semver=>=1.0.0, <2.0.0-0"),
        ("{semver: \"*\"}", "semver=*"),
    ] {
        let spec = ServiceSpec::parse(&format!("image: {{repository: shop, policy: {yaml}}}"));
        let policy = spec.unwrap_or_else(|error| panic!("{yaml}: {error}")).image.policy;
        assert_eq!(policy.canonical_text(), canonical, "{yaml}");
        assert_eq!(canonical.parse::<Policy>().unwrap(), policy, "{canonical}");
    }
}

#[test]
fn a_parameters_name_and_its_service_are_the_same_thing() {
    let key = ServiceKey::new("main", "shop");
    assert_eq!(parameter_name(&key), "/windlass/services/main/shop");
    assert_eq!(key_from_parameter_name("/windlass/services/main/shop"), Some(key));
    for other in
        ["/windlass/services/main", "/windlass/services/main/a/b", "/app/db", "/windlass/services//a", ""]
    {
        assert_eq!(key_from_parameter_name(other), None, "{other}");
    }
}

#[test]
fn the_schema_is_the_published_one() {
    insta::assert_json_snapshot!(json_schema());
}
