//! `windlass rollback`, `approve` and `reject`: a person's word on a release. What cannot be
//! carried out is refused here, by the very plan that the function would make of it.

use anyhow::{Context as _, anyhow};
use serde_json::json;
use windlass_shared::deploy::Note;
use windlass_shared::deploy::report::RollbackNote;
use windlass_shared::deploy::rollback;
use windlass_shared::id::{ImageDigest, TaskDefinitionArn, Timestamp};
use windlass_shared::ledger::{Answer, Order, Question, RollbackOrder, RollbackTo, ServiceRow};

use super::look::Look;
use super::people::{bell, rung_after};
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{BAD, GOOD, Output, STRONG, paint, talk};

/// Orders a rollback, once a look has shown that it can be carried out.
pub(super) async fn roll_back(
    account: &Account,
    service: &str,
    to: &str,
    reason: String,
    output: Output,
) -> Result<Exit> {
    let key = account.key(service)?;
    let row = account.ledger.row(&key).await.context("reading what ran before")?;
    let order = Order { by: account.actor().clone(), reason, at: account.clock.now() };
    let order = RollbackOrder { to: target(&row, to)?, order };
    let would = Look::of(account, with_order(row, &order)).await?;
    if let Some(refusal) = would.plan.report.iter().find(|note| is_refusal(note)) {
        return Err(anyhow!("{key}: {refusal}").into());
    }
    account.ledger.order_rollback(&key, &order).await.context("ordering the rollback")?;
    rung_after(bell(account, &key, Some("a rollback was ordered".to_owned())).await, "it is ordered")?;
    let value = json!({ "service": key.to_string(), "ordered": order, "plan": would.plan });
    output.data(&value, || {
        format!("{}: {}\n{}", paint(STRONG, &key), paint(GOOD, "the rollback is ordered"), would.plan)
    })?;
    talk(format!("`windlass status {key}` shows it going; `windlass history {key}` what came of it"));
    Ok(Exit::Ok)
}

fn with_order(mut row: ServiceRow, order: &RollbackOrder) -> ServiceRow {
    row.orders.rollback = Some(order.clone());
    row
}

fn is_refusal(note: &Note) -> bool {
    matches!(note, Note::Rollback(RollbackNote::Refused { .. }) | Note::Unreadable { .. })
}

/// `previous`, a digest or enough of its beginning, `family:7` or a revision's ARN.
fn target(row: &ServiceRow, typed: &str) -> Result<RollbackTo> {
    if typed == "previous" {
        return Ok(RollbackTo::Previous);
    }
    if let Ok(digest) = typed.parse::<ImageDigest>() {
        return Ok(RollbackTo::Digest(digest));
    }
    if typed.starts_with("arn:") {
        return Ok(RollbackTo::Revision(TaskDefinitionArn::new(typed)));
    }
    if let Some((_, number)) = typed.rsplit_once(':')
        && number.parse::<u32>().is_ok()
    {
        return revision(row, typed);
    }
    let start = typed.strip_prefix("sha256:").unwrap_or(typed);
    let known = rollback::needed(&row.state);
    let mut found = known.iter().filter(|digest| digest.as_str()["sha256:".len()..].starts_with(start));
    match (found.next(), found.next()) {
        (Some(digest), None) => Ok(RollbackTo::Digest(digest.clone())),
        (Some(_), Some(_)) => {
            Err(anyhow!("{typed} is the beginning of several digests")).hint("give more of its digits")
        }
        (None, _) => Err(anyhow!("{typed} was not live on {} before", row.key))
            .hint("give `previous`, a whole digest (sha256:…), or a revision (family:7)"),
    }
}

/// `family:7`, made whole by an ARN that the row has.
fn revision(row: &ServiceRow, typed: &str) -> Result<RollbackTo> {
    let state = &row.state;
    let known = state.settled.iter().chain(&state.marks.before).map(|settled| &settled.task_definition);
    let stem = known.map(TaskDefinitionArn::as_str).find_map(|arn| Some(arn.rsplit_once('/')?.0.to_owned()));
    match stem {
        Some(stem) => Ok(RollbackTo::Revision(TaskDefinitionArn::new(format!("{stem}/{typed}")))),
        None => Err(anyhow!("nothing was live on {} yet", row.key)).hint("give the revision's whole ARN"),
    }
}

/// Says yes or no to what waits for a person.
pub(super) async fn answer(
    account: &Account,
    service: &str,
    approve: bool,
    reason: Option<String>,
    output: Output,
) -> Result<Exit> {
    let key = account.key(service)?;
    let row = account.ledger.row(&key).await.context("reading what waits for an answer")?;
    let now = account.clock.now();
    let question = open_question(&row, now)?;
    let reason = reason.unwrap_or_else(|| if approve { "approved" } else { "rejected" }.to_owned());
    let order = Order { by: account.actor().clone(), reason, at: now };
    let answer = Answer { question: question.id.clone(), approve, order };
    account.ledger.answer(&key, &answer).await.context("answering")?;
    let word = if approve { "approved" } else { "rejected" };
    rung_after(bell(account, &key, Some(format!("{word}: {}", question.what))).await, "it is answered")?;
    output.data(&json!({ "service": key.to_string(), "question": question, "answer": answer }), || {
        let word = if approve { paint(GOOD, word) } else { paint(BAD, word) };
        format!("{}: {word}: {} ({})", paint(STRONG, &key), question.what, question.digest.short())
    })?;
    Ok(Exit::Ok)
}

/// The question that stands, if an answer can still be given.
fn open_question(row: &ServiceRow, now: Timestamp) -> Result<Question> {
    let key = &row.key;
    let Some(question) = row.state.marks.question.clone() else {
        return Err(anyhow!("{key}: nothing waits for an answer"))
            .hint(format!("`windlass explain {key}` says what it waits for"));
    };
    if let Some(given) = row.answer_to(&question.id) {
        let word = if given.approve { "approved" } else { "rejected" };
        let (by, at) = (&given.order.by, crate::words::at(given.order.at));
        return Err(anyhow!("{key}: {} was {word} by {by} at {at} ({})", question.what, given.order.reason))
            .hint(format!("`windlass history {key}` tells what came of it"));
    }
    if question.expires.is_some_and(|expires| expires <= now) {
        return Err(anyhow!("{key}: the time to answer is over: {}", question.what))
            .hint("it counts as rejected; push again, or release the digest, to be asked again");
    }
    Ok(question)
}

#[cfg(test)]
mod tests {
    use super::*;
    use windlass_shared::id::ServiceKey;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn digest() -> ImageDigest {
        format!("sha256:{}", "a".repeat(64)).parse().unwrap()
    }

    fn asked() -> ServiceRow {
        let mut row = ServiceRow::new(ServiceKey::new("main", "shop"));
        row.state.marks.question = Some(Question {
            id: "rollout a".into(),
            what: "begin the rollout of v2".into(),
            digest: digest(),
            since: at(0),
            expires: Some(at(10)),
        });
        row
    }

    #[test]
    fn only_a_question_that_stands_is_answered() {
        let error = |row: &ServiceRow, now| open_question(row, now).unwrap_err().error.to_string();
        let nothing = ServiceRow::new(ServiceKey::new("main", "shop"));
        assert_eq!(error(&nothing, at(1)), "main/shop: nothing waits for an answer");
        assert_eq!(open_question(&asked(), at(9)).unwrap().id, "rollout a");
        assert_eq!(error(&asked(), at(10)), "main/shop: the time to answer is over: begin the rollout of v2");
        let mut answered = asked();
        let order = Order { by: "ann".into(), reason: "too risky".into(), at: at(3) };
        answered.orders.answer = Some(Answer { question: "rollout a".into(), approve: false, order });
        assert!(error(&answered, at(4)).contains("was rejected by ann at"), "{}", error(&answered, at(4)));
    }

    #[test]
    fn a_target_is_named_in_four_ways() {
        let row = asked();
        assert_eq!(target(&row, "previous").unwrap(), RollbackTo::Previous);
        assert_eq!(target(&row, digest().as_str()).unwrap(), RollbackTo::Digest(digest()));
        let arn = "arn:aws:ecs:eu-central-1:123456789012:task-definition/shop:7";
        assert_eq!(target(&row, arn).unwrap(), RollbackTo::Revision(arn.into()));
        assert_eq!(
            target(&row, "abc").unwrap_err().error.to_string(),
            "abc was not live on main/shop before"
        );
    }
}
