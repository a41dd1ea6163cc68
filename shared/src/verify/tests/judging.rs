//! What was observed, and what it comes to.

use crate::event::HookStatus;
use crate::facts::{AlarmState, Fact, FailureKind, Unreadable};
use crate::id::{ImageDigest, Timestamp};
use crate::ledger::{Judgement, Verdict};
use crate::spec::ServiceSpec;
use crate::verify::judge::{first_asked, given, reply};
use crate::verify::{Answer, Baseline, Counts, Judged, Observed, Patience, Sides, judge, wanted};

fn spec(verify: &str) -> ServiceSpec {
    let text = format!(
        "image: {{repository: shop}}\nroute: {{paths: [/*], hosts: ['*.example.com', shop.example.com]}}\n\
         rollout: {{strategy: blue_green, test_route: {{header: x-canary, values: ['y*', 'yes']}}}}\nverify: {verify}"
    );
    ServiceSpec::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

fn judged(verify: &str, observed: &Observed) -> String {
    let spec = spec(verify);
    let wanted = wanted(&spec, Some(Baseline::Beside));
    let Judged { judgement, findings } = judge(spec.verify.as_ref().unwrap(), &wanted, observed);
    let lines = findings.iter().map(ToString::to_string);
    std::iter::once(judgement.to_string()).chain(lines).collect::<Vec<_>>().join("\n")
}

fn answers(of: &[(u16, &str, u64)]) -> Observed {
    let answer = |&(status, body, latency_ms): &(u16, &str, u64)| Answer::Answered {
        status,
        body: body.into(),
        latency_ms,
    };
    Observed { http: vec![of.iter().map(answer).collect()], ..Observed::default() }
}

fn alarm(state: Fact<AlarmState>) -> Observed {
    Observed { alarms: [("shop-5xx".to_owned(), state)].into(), ..Observed::default() }
}

fn sides(new: (u32, u32, u64), old: (u32, u32, u64)) -> Observed {
    let counts =
        |(requests, errors, ms): (u32, u32, u64)| Counts { requests, errors, latency_us: Some(ms * 1000) };
    Observed { sides: Some(Fact::Known(Sides { new: counts(new), old: counts(old) })), ..Observed::default() }
}

fn throttled<T>() -> Fact<T> {
    Fact::Unreadable(Unreadable {
        doing: "reading alarm shop-5xx".into(),
        kind: FailureKind::Throttled,
        detail: "ThrottlingException: Rate exceeded".into(),
    })
}

#[test]
fn a_request_carries_the_test_routes_header_and_a_literal_host() {
    let spec =
        spec("{http: [{path: /health, headers: {x-a: b}}, {path: /x, host: other.example.com, tries: 3}]}");
    let wanted = wanted(&spec, None);
    insta::assert_debug_snapshot!(wanted.http, @r#"
    [
        HttpAsk {
            path: "/health",
            host: Some(
                "shop.example.com",
            ),
            headers: [
                (
                    "x-a",
                    "b",
                ),
                (
                    "x-canary",
                    "yes",
                ),
            ],
            tries: 1,
        },
        HttpAsk {
            path: "/x",
            host: Some(
                "other.example.com",
            ),
            headers: [
                (
                    "x-canary",
                    "yes",
                ),
            ],
            tries: 3,
        },
    ]
    "#);
}

#[test]
fn every_answer_must_be_good() {
    const CHECK: &str =
        "{http: [{path: /health, status: '200,302', body: 'ok$', max_latency_ms: 500, tries: 2}]}";
    let good = (200, "all ok", 20);
    insta::assert_snapshot!(judged(CHECK, &answers(&[good, (302, "ok", 500)])), @"
    passed
    GET /health: passed: 2 good answers, the last: answered 302 after 500 ms
    ");
    insta::assert_snapshot!(judged(CHECK, &answers(&[good, (500, "ok", 20)])), @"
    failed
    GET /health: failed: answered 500, wanted 200,302 (try 2 of 2)
    ");
    insta::assert_snapshot!(judged(CHECK, &answers(&[(200, "not ok, sorry", 20), good])), @"
    failed
    GET /health: failed: answered 200, but nothing in `not ok, sorry` matches `ok$` (try 1 of 2)
    ");
    insta::assert_snapshot!(judged(CHECK, &answers(&[good, (200, "ok", 501)])), @"
    failed
    GET /health: failed: answered 200 after 501 ms, wanted 500 ms at most (try 2 of 2)
    ");
    insta::assert_snapshot!(judged(CHECK, &answers(&[good])), @"
    undecided
    GET /health: undecided: asked 1 of 2 times
    ");
}

#[test]
fn silence_fails_and_what_could_not_be_asked_leaves_it_open() {
    const CHECK: &str = "{http: [{path: /health}]}";
    let one = |answer: Answer| Observed { http: vec![vec![answer]], ..Observed::default() };
    insta::assert_snapshot!(judged(CHECK, &one(Answer::Silence { after_ms: 10_000 })), @"
    failed
    GET /health: failed: no answer within 10000 ms (try 1 of 1)
    ");
    insta::assert_snapshot!(judged(CHECK, &one(Answer::NotAsked { reason: "connection refused".into() })), @"
    undecided
    GET /health: undecided: connection refused (try 1 of 1)
    ");
    insta::assert_snapshot!(judged(CHECK, &Observed::default()), @"
    undecided
    GET /health: undecided: asked 0 of 1 times
    ");
}

#[test]
fn statuses_are_lists_and_ranges() {
    use super::super::http::includes;
    assert!(includes("200-399", 200) && includes("200-399", 399) && includes("404,200-204", 404));
    assert!(!includes("200-399", 199) && !includes("200-399", 400) && !includes("200,302", 201));
}

#[test]
fn alarms_are_quiet_ring_are_not_there_or_cannot_be_read() {
    const CHECK: &str = "{alarms: [shop-5xx]}";
    let told = |state| judged(CHECK, &alarm(state));
    insta::assert_snapshot!(told(Fact::Known(AlarmState::Ok)), @"
    passed
    alarm shop-5xx: passed: quiet
    ");
    insta::assert_snapshot!(told(Fact::Known(AlarmState::InsufficientData)), @"
    passed
    alarm shop-5xx: passed: quiet: it has no data
    ");
    insta::assert_snapshot!(told(Fact::Known(AlarmState::Alarm)), @"
    failed
    alarm shop-5xx: failed: it rings
    ");
    insta::assert_snapshot!(told(Fact::Absent), @"
    failed
    alarm shop-5xx: failed: there is no such alarm in this Region: create it, or correct `verify.alarms`
    ");
    insta::assert_snapshot!(told(throttled()), @"
    undecided
    alarm shop-5xx: undecided: reading alarm shop-5xx: ThrottlingException: Rate exceeded
    ");
}

#[test]
fn the_new_revision_is_held_against_the_old_one() {
    const CHECK: &str =
        "{compare: {max_error_increase: 1, max_latency_increase_percent: 20, min_requests: 100}}";
    insta::assert_snapshot!(judged(CHECK, &sides((99, 99, 900), (5000, 0, 100))), @"
    undecided
    requests: undecided: not enough requests: 99 of the new revision, 5000 of the old one, wanted 100 of each
    ");
    insta::assert_snapshot!(judged(CHECK, &sides((400, 6, 120), (4000, 20, 100))), @"
    passed
    errors: passed: 6 of 400 requests failed (1.50 %) against 20 of 4000 requests failed (0.50 %); 1 % more is allowed
    latency: passed: 120.0 ms against 100.0 ms on average; 20 % more is allowed
    ");
    insta::assert_snapshot!(judged(CHECK, &sides((400, 40, 121), (4000, 20, 100))), @"
    failed
    errors: failed: 40 of 400 requests failed (10.00 %) against 20 of 4000 requests failed (0.50 %): higher by 6.51 % at least, 1 % is allowed
    latency: failed: 121.0 ms against 100.0 ms on average; 20 % more is allowed
    ");
}

#[test]
fn what_is_not_wanted_is_not_judged() {
    insta::assert_snapshot!(judged("{compare: {max_error_increase: 1, min_requests: 1}}", &sides((9, 0, 900), (9, 0, 1))), @"
    passed
    errors: passed: 0 of 9 requests failed (0.00 %) against 0 of 9 requests failed (0.00 %); 1 % more is allowed
    ");
    let spec = spec("{compare: {max_error_increase: 1, min_requests: 1}}");
    assert!(wanted(&spec, None).is_nothing(), "by the test route alone nothing is compared");
}

#[test]
fn without_numbers_nothing_is_compared() {
    const CHECK: &str = "{compare: {max_latency_increase_percent: 20, min_requests: 1}}";
    let with = |sides| Observed { sides, ..Observed::default() };
    assert!(judged(CHECK, &with(Some(throttled()))).starts_with("undecided\ncompare: undecided: reading"));
    assert!(judged(CHECK, &with(Some(Fact::Absent))).contains("could not be told apart"));
    let mut unmeasured = sides((9, 0, 0), (9, 0, 0));
    if let Some(Fact::Known(sides)) = &mut unmeasured.sides {
        sides.new.latency_us = None;
    }
    assert!(judged(CHECK, &unmeasured).contains("no latency"));
}

fn digest() -> ImageDigest {
    format!("sha256:{}", "a".repeat(64)).parse().unwrap()
}

fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_second(minutes * 60).unwrap()
}

fn undecided_after(verify: &str, minutes: i64) -> Verdict {
    let spec = spec(verify);
    let patience = Patience::of(spec.verify.as_ref(), minute(0));
    Judged::undecided("compare", "not enough requests").verdict(
        "1/STAGE",
        &digest(),
        &patience,
        minute(minutes),
    )
}

#[test]
fn an_undecided_verdict_becomes_a_no_unless_the_spec_says_otherwise() {
    assert_eq!(undecided_after("{alarms: [a]}", 29).judgement, Judgement::Undecided);
    let late = undecided_after("{alarms: [a]}", 30);
    assert_eq!(late.judgement, Judgement::Failed);
    insta::assert_snapshot!(late.findings.join("\n"), @"
    compare: undecided: not enough requests
    undecided for 30 min: that is a no, by `verify.on_timeout`
    ");
    let yes = "{alarms: [a], timeout_minutes: 5, on_timeout: continue}";
    assert_eq!(undecided_after(yes, 4).judgement, Judgement::Undecided);
    assert_eq!(undecided_after(yes, 5).judgement, Judgement::Passed);
    let unread = Patience::of(None, minute(0));
    let verdict = Judged::undecided("spec", "no spec").verdict("s", &digest(), &unread, minute(31));
    assert_eq!(verdict.judgement, Judgement::Failed);
}

#[test]
fn patience_never_turns_a_bad_answer_into_a_yes() {
    let spec = spec("{alarms: [a], on_timeout: continue}");
    let patience = Patience::of(spec.verify.as_ref(), minute(0));
    let bad = Judged { judgement: Judgement::Failed, findings: Vec::new() };
    assert_eq!(bad.verdict("s", &digest(), &patience, minute(500)).judgement, Judgement::Failed);
}

#[test]
fn the_same_question_has_the_same_answer_and_its_time_goes_on() {
    let open = undecided_after("{alarms: [a]}", 3);
    assert_eq!(given(Some(&open), "1/STAGE"), None, "an open one is looked at again");
    assert_eq!(first_asked(Some(&open), "1/STAGE", minute(9)), minute(0));
    assert_eq!(first_asked(Some(&open), "1/OTHER", minute(9)), minute(9));
    let decided = undecided_after("{alarms: [a]}", 31);
    assert_eq!(given(Some(&decided), "1/STAGE"), Some(&decided));
    assert_eq!(given(Some(&decided), "2/STAGE"), None);
}

#[test]
fn ecs_is_told_yes_no_or_later_with_what_it_handed_over() {
    let details = serde_json::json!({"bucket": "approvals"});
    assert_eq!(reply(Judgement::Passed, None).hook_status, HookStatus::Succeeded);
    assert_eq!(reply(Judgement::Failed, None).hook_status, HookStatus::Failed);
    let later = reply(Judgement::Undecided, Some(details.clone()));
    assert_eq!((later.hook_status, later.call_back_delay_secs), (HookStatus::InProgress, Some(30)));
    assert_eq!(later.hook_details, Some(details));
}
