//! What is understood, what it says of an instance, and what is refused.

use super::{Candidate, ClusterQuery};
use crate::capacity::instance::Attributes;

fn attributes() -> Attributes {
    [
        ("ecs.instance-type", Some("g2.2xlarge")),
        ("ecs.availability-zone", Some("us-east-1a")),
        ("com.amazonaws.ecs.capability.task-eni", None),
        ("stack", Some("production")),
    ]
    .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
    .into()
}

fn holds(text: &str) -> bool {
    let attributes = attributes();
    let candidate = Candidate {
        attributes: &attributes,
        ec2_instance_id: Some("i-abcd1234"),
        agent_version: Some("1.84.0"),
        agent_connected: Some(true),
        groups: &["service:production", "family:job"],
    };
    ClusterQuery::parse(text).unwrap_or_else(|error| panic!("{error}")).is_fulfilled_by(candidate)
}

fn problem(text: &str) -> String {
    ClusterQuery::parse(text).expect_err(text).to_string()
}

#[test]
fn the_examples_of_the_developer_guide() {
    assert!(!holds("attribute:ecs.instance-type == t2.small"));
    assert!(holds("attribute:ecs.availability-zone in [us-east-1a, us-east-1b]"));
    assert!(holds("attribute:ecs.instance-type =~ g2.* and attribute:ecs.availability-zone != us-east-1d"));
    assert!(holds("task:group == service:production"));
    assert!(holds("not(task:group == database)"));
    assert!(!holds("runningTasksCount == 1"));
    assert!(!holds("agentVersion < 1.14.5"));
    assert!(holds("ec2InstanceId in ['i-abcd1234', 'i-wxyx7890']"));
}

#[test]
fn words_and_signs_say_the_same() {
    for (signs, words) in [
        ("attribute:stack == production", "attribute:stack equals production"),
        ("attribute:stack != production", "attribute:stack not_equals production"),
        ("attribute:stack !in [a,b]", "attribute:stack not_in [a, b]"),
        ("attribute:stack =~ p.*", "attribute:stack matches p.*"),
        ("attribute:stack !~ p.*", "attribute:stack not_matches p.*"),
        ("attribute:none !exists", "attribute:none not_exists"),
        ("runningTasksCount >= 2", "runningTasksCount greater_than_equal 2"),
        ("agentVersion > 1.9", "agentVersion greater_than 1.9"),
        (
            "!(attribute:stack == a) && agentConnected == true",
            "not (attribute:stack == a) and agentConnected == true",
        ),
        (
            "attribute:stack == a || attribute:stack == production",
            "attribute:stack == a or attribute:stack == production",
        ),
    ] {
        assert_eq!(holds(signs), holds(words), "{signs}");
    }
}

#[test]
fn and_binds_stronger_than_or() {
    let (yes, no) = ("attribute:stack exists", "attribute:none exists");
    assert!(holds(&format!("{yes} or {no} and {no}")));
    assert!(!holds(&format!("({yes} or {no}) and {no}")));
}

#[test]
fn an_attribute_without_a_value_exists_and_equals_nothing() {
    let name = "attribute:com.amazonaws.ecs.capability.task-eni";
    assert!(holds(&format!("{name} exists")));
    assert!(!holds(&format!("{name} == yes")));
    assert!(holds("attribute:none != yes"), "what is not there equals nothing");
}

#[test]
fn a_pattern_matches_the_whole_value() {
    assert!(!holds("attribute:ecs.instance-type =~ g2"));
    assert!(holds("attribute:ecs.instance-type =~ (g2|m4).* or attribute:none exists"));
    assert!(holds("(attribute:ecs.instance-type =~ (g2|m4).*)"), "its own brackets, then the one around it");
    assert!(holds("attribute:ecs.instance-type =~ 'g2\\..*'"));
}

#[test]
fn versions_are_compared_by_their_numbers() {
    assert!(holds("agentVersion > 1.9.10"), "84 is more than 9");
    assert!(holds("agentVersion >= 1.84"));
}

#[test]
fn what_is_not_known_is_neither_true_nor_false() {
    let attributes = Attributes::new();
    let fresh = Candidate {
        attributes: &attributes,
        ec2_instance_id: None,
        agent_version: None,
        agent_connected: Some(true),
        groups: &[],
    };
    let holds = |text: &str| ClusterQuery::parse(text).expect("reads").is_fulfilled_by(fresh);
    assert!(!holds("ec2InstanceId == i-1") && !holds("not(ec2InstanceId == i-1)"));
    assert!(holds("agentVersion > 1.0 or agentConnected == true"), "the known half settles it");
    assert!(!holds("agentVersion > 1.0 and agentConnected == true"));
}

#[test]
fn what_is_not_understood_is_an_error_with_its_place() {
    insta::assert_snapshot!(problem("registeredAt < 2018-02-13"), @"the cluster query `registeredAt < 2018-02-13`, at character 1: Windlass does not understand the subject `registeredAt`");
    insta::assert_snapshot!(problem("attribute:a == b xor attribute:c == d"), @"the cluster query `attribute:a == b xor attribute:c == d`, at character 18: `and`, `or` or the end was expected");
    insta::assert_snapshot!(problem("attribute:a > 5"), @"the cluster query `attribute:a > 5`, at character 13: this operator does not go with this subject");
    insta::assert_snapshot!(problem("attribute:a =~ (?=x).*"), @"the cluster query `attribute:a =~ (?=x).*`, at character 16: Windlass does not understand the pattern `(?=x).*`");
    insta::assert_snapshot!(problem("agentVersion > new"), @"the cluster query `agentVersion > new`, at character 15: `new` is neither a number nor a version");
    for text in [
        "",
        "attribute:",
        "attribute:a",
        "attribute:a in b",
        "attribute:a in [b",
        "(attribute:a exists",
        "attribute:a == 'b",
        "attribute:a =~",
        "not",
        "attribute:a == b and",
        "attribute:a ==b)",
        "agentVersion exists",
    ] {
        let _ = problem(text);
    }
    assert!(problem(&"(".repeat(100)).contains("nested deeper"));
    assert!(problem(&format!("attribute:a == {}", "b".repeat(2000))).contains("longer than"));
}
