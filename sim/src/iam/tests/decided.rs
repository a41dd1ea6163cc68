//! Statements, and what they decide.

use super::*;

#[test]
fn what_nothing_allows_is_denied_and_a_deny_wins() {
    let policy = policy(&json!([
        {"Sid": "Most", "Effect": "Allow", "Action": ["ecs:*", "ssm:Get*"], "Resource": ["arn:aws:x:::a", "*"]},
        {"Effect": "Deny", "Action": "ecs:Delete*", "Resource": "arn:aws:ecs:eu:1:service/live/*"},
    ]));
    assert_eq!(policy.decide(&Ask::new("s3:GetObject", "*")), Decision::NothingAllows);
    assert!(allows(&policy, &Ask::new("ecs:deleteService", "arn:aws:ecs:eu:1:service/test/shop")));
    let live = Ask::new("ecs:DeleteService", "arn:aws:ecs:eu:1:service/live/shop");
    assert_eq!(policy.decide(&live), Decision::ExplicitDeny);
    let Decision::Allowed(found) =
        policy.decide(&Ask::new("ssm:GetParameter", "arn:aws:ssm:eu:1:parameter/a"))
    else {
        panic!("it is allowed")
    };
    let grant = policy.grant(found).unwrap();
    assert_eq!((grant.sid.as_str(), grant.action.as_str(), grant.nth), ("Most", "ssm:Get*", 1));
    assert_eq!(policy.grants().len(), 4, "what is denied is no grant");
    assert_eq!(Policy::default().decide(&live), Decision::NothingAllows);
}

#[test]
fn what_is_excluded_is_everything_else() {
    let policy = policy(
        &json!({"Effect": "Allow", "NotAction": "iam:*", "NotResource": "arn:aws:ecs:*:*:cluster/live"}),
    );
    assert!(allows(&policy, &Ask::new("ecs:ListTasks", "*")));
    assert!(!allows(&policy, &Ask::new("iam:PassRole", "*")));
    assert!(!allows(&policy, &Ask::new("ecs:ListTasks", "arn:aws:ecs:eu:1:cluster/live")));
}

#[test]
fn a_condition_holds_by_its_operator() {
    let absent = || Ask::new("ecs:RunTask", "*");
    let with = |value: &str| absent().key("k", value);
    let arn = "arn:aws:ecs:eu:1:cluster/main";
    for (condition, ask, expected) in [
        (json!({"StringEquals": {"K": ["a", "b"]}}), with("b"), true),
        (json!({"StringEquals": {"k": "a"}}), with("A"), false),
        (json!({"StringEquals": {"k": "a*"}}), with("ab"), false),
        (json!({"StringEquals": {"k": "a"}}), absent(), false),
        (json!({"StringEqualsIfExists": {"k": "a"}}), absent(), true),
        (json!({"StringEqualsIfExists": {"k": "a"}}), with("b"), false),
        (json!({"StringEqualsIgnoreCase": {"k": "A"}}), with("a"), true),
        (json!({"StringNotEquals": {"k": "a"}}), absent(), true),
        (json!({"StringNotEquals": {"k": ["a", "b"]}}), with("b"), false),
        (json!({"StringLike": {"k": "a?c*"}}), with("abcd"), true),
        (json!({"StringNotLike": {"k": "a*"}}), with("ab"), false),
        (json!({"ArnLike": {"k": "arn:*:ecs:*:*:cluster/main"}}), with(arn), true),
        (json!({"ArnEquals": {"k": "arn:aws:ecs:eu:1:cluster/m*"}}), with(arn), true),
        (json!({"ArnEquals": {"k": "arn:*:cluster/main"}}), with(arn), false),
        (json!({"ArnNotLike": {"k": "arn:aws:ecs:eu:1:cluster/*"}}), with(arn), false),
        (json!({"Bool": {"k": true}}), with("true"), true),
        (json!({"Bool": {"k": "false"}}), with("true"), false),
        (json!({"Null": {"k": "true"}}), absent(), true),
        (json!({"Null": {"k": "false"}}), absent(), false),
        (json!({"Null": {"k": "false"}}), with("x"), true),
        (json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}}), with("a").key("k", "b"), true),
        (json!({"ForAllValues:StringEquals": {"k": ["a", "b"]}}), with("a").key("k", "c"), false),
        (json!({"ForAllValues:StringEquals": {"k": "a"}}), absent(), true),
        (json!({"ForAnyValue:StringEquals": {"k": "a"}}), with("c").key("k", "a"), true),
        (json!({"ForAnyValue:StringEquals": {"k": "a"}}), with("c"), false),
        (json!({"ForAnyValue:StringEquals": {"k": "a"}}), absent(), false),
        // All entries must hold.
        (json!({"StringEquals": {"k": "a", "l": "b"}}), with("a"), false),
        (json!({"StringEquals": {"k": "a"}, "Null": {"l": "true"}}), with("a"), true),
    ] {
        assert_eq!(allows(&under(&condition), &ask), expected, "{condition} on {ask:?}");
    }
}

#[test]
fn what_is_not_carried_out_is_refused_by_name() {
    let statement = |member: &str, value: Value| {
        let mut statement = json!({"Effect": "Allow", "Action": "a:b", "Resource": "*"});
        statement[member] = value;
        format!("{:#}", read(&statement).unwrap_err())
    };
    for (member, value, words) in [
        ("Principal", json!("*"), "does not carry out Principal"),
        ("Effect", json!("allow"), "Effect is Allow or Deny"),
        ("NotAction", json!("a:c"), "either Action or NotAction"),
        ("Resource", json!([]), "Resource is empty"),
        ("Resource", json!("arn:aws:s3:::${aws:username}/*"), "policy variables"),
        ("Condition", json!({"NumericLessThan": {"k": "1"}}), "the operator NumericLessThan"),
        ("Condition", json!({"ForSomeValues:StringEquals": {"k": "1"}}), "ForSomeValues:StringEquals"),
        ("Condition", json!({"StringEquals": {"k": []}}), "nothing ever fits it"),
        ("Condition", json!({"Bool": {"k": "yes"}}), "true or false is wanted"),
    ] {
        let error = statement(member, value);
        assert!(error.contains(words), "{words} in {error}");
        assert!(error.contains("the policy p, statement 1"), "{error}");
    }
    let managed =
        Document { name: "m".into(), document: json!("arn:aws:iam::aws:policy/AdministratorAccess") };
    assert!(format!("{:#}", Policy::read(&[managed]).unwrap_err()).contains("no managed ones"));
}
