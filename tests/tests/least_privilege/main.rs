//! Least privilege, proved: each grant of each role in `template.yaml` (an action on a resource) names what
//! AWS knows, has only conditions that AWS evaluates for it, and is used by a scenario test.
//!
//! | module | holds |
//! |---|---|
//! | [`grants`] | the roles' grants, with the template's parameters by their names |
//! | [`reference`] | what AWS's service authorization reference says about the actions |
//! | [`table`] | `docs/least-privilege.md`, and what it claims about tests |
//!
//! The last question needs a whole run of the scenario tests: `scripts/test rust` lets each of them write
//! down what it used and then runs the test that is ignored here.

mod grants;
mod reference;
mod table;

use std::collections::BTreeSet;
use std::path::Path;
use std::{env, fs};

use grants::{Row, rows};
use reference::{Action, reference};
use table::Used;

/// `*` where the reference knows a resource, and why it must be.
const EVERYWHERE: [(&str, &str); 6] = [
    ("cloudwatch:DescribeAlarms", "composite alarms are told only to who is \"scoped to *\" (API reference)"),
    (
        "ecs:ListTasks",
        "a container instance is looked at only where the call names one (cdklabs/construct-hub#1207)",
    ),
    ("ec2:AssignPrivateIpAddresses", "Lambda's own interfaces: their ids are not known beforehand"),
    ("ec2:CreateNetworkInterface", "as above"),
    ("ec2:DeleteNetworkInterface", "as above"),
    ("ec2:UnassignPrivateIpAddresses", "as above"),
];

/// Grants that no scenario can use, and why.
pub(crate) const UNUSED: [(&str, &str); 3] = [
    ("logs:", "Lambda writes a function's log in its role; the embedded AWS keeps no logs"),
    (
        "inspector2:",
        "asked by ECR itself where scanning is enhanced; the embedded ECR does not ask IAM for it",
    ),
    ("ec2:", "Lambda's own needs in a VPC; the embedded Lambda has none"),
];

#[test]
fn everywhere_is_said_only_where_aws_knows_no_resource() {
    for row in rows().iter().filter(|row| row.resource == "*") {
        let known = reference(&row.action).resources.values().any(|resource| resource.required);
        let excused = EVERYWHERE.iter().any(|(action, _)| *action == row.action);
        assert!(!known || excused, "{row} is allowed on everything, and AWS knows its resources: name them");
    }
    for (action, _) in EVERYWHERE {
        let there = rows().iter().any(|row| row.action == action && row.resource == "*");
        assert!(there, "{action} is excused and not there: take it off the list");
    }
}

#[test]
fn each_resource_is_of_a_kind_that_its_action_is_authorized_on() {
    for row in rows().iter().filter(|row| row.resource != "*") {
        let Action { resources, .. } = reference(&row.action);
        assert!(
            resources.values().any(|resource| reference::may_be(&row.resource, &resource.arn)),
            "{row}: AWS authorizes {} on {:?}, so that this resource never matches",
            row.action,
            resources.keys()
        );
    }
}

#[test]
fn each_condition_is_on_a_key_that_aws_sets_for_the_action() {
    for row in rows() {
        for key in &row.keys {
            assert!(
                reference::knows(&reference(&row.action), key),
                "{row}: AWS does not set {key} for {}, so that the condition never holds",
                row.action
            );
        }
    }
}

#[test]
fn what_the_reference_requires_together_is_granted_together() {
    for row in rows().iter().filter(|row| row.resource != "*") {
        for (kind, resource) in reference(&row.action).resources.iter().filter(|(_, it)| it.required) {
            let beside = |other: &&Row| other.role == row.role && other.action == row.action;
            let granted =
                rows().iter().filter(beside).any(|other| reference::may_be(&other.resource, &resource.arn));
            // Of a network load balancer's kinds nothing is wanted, and an event bus is one kind of two.
            let other_kind = kind.ends_with("/net");
            assert!(granted || other_kind, "{row}: AWS asks for {kind} too");
        }
    }
}

/// The table that people read is of this template, whatever the tests used.
#[test]
fn the_table_has_a_row_for_each_grant() {
    let written = table::read(&table::path());
    let rows: BTreeSet<String> = rows().iter().map(Row::cells).collect();
    let written: BTreeSet<String> = written.into_keys().collect();
    assert_eq!(written, rows, "docs/least-privilege.md: {}", table::NEXT);
}

#[test]
#[ignore = "judges the tests of a whole run: scripts/test rust"]
fn every_grant_was_used_and_the_table_is_true() {
    let dir = env::var_os(windlass_tests::grants::VARIABLE).expect("scripts/test rust names the directory");
    let used = Used::read(Path::new(&dir));
    let never: Vec<String> = rows()
        .iter()
        .filter(|row| used.tests_of(row).is_empty() && grants::excuse(row).is_none())
        .map(ToString::to_string)
        .collect();
    let path = table::path();
    let old = fs::read_to_string(&path).unwrap_or_default();
    let new = table::render(rows(), &used, &table::read(&path));
    if env::var_os("WINDLASS_WRITE_TABLE").is_some() {
        fs::write(&path, &new).unwrap();
    } else {
        assert_eq!(old, new, "docs/least-privilege.md: {}", table::NEXT);
    }
    assert!(
        never.is_empty(),
        "never used by a test: take them out of template.yaml, or list them in tests/tests/least_privilege with the \
         reason (or a test binary did not run)\n{}",
        never.join("\n")
    );
    let excused_in_vain: Vec<_> = UNUSED
        .iter()
        .filter(|(action, _)| {
            rows()
                .iter()
                .filter(|row| row.action.starts_with(action))
                .all(|row| !used.tests_of(row).is_empty())
        })
        .collect();
    assert!(excused_in_vain.is_empty(), "used after all: take off the list {excused_in_vain:?}");
}
