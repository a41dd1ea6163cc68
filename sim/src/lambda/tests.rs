use super::*;
use crate::world::Config;

const QUEUE: &str = "arn:aws:sqs:eu-central-1:123456789012:dead";

fn world(function: Function) -> World {
    let mut world = World::new(Config::default());
    install(&mut world, function);
    world
}

fn deploy() -> Function {
    Function { timeout: Duration::from_mins(1), on_failure: Some(QUEUE.into()), ..Function::named("deploy") }
}

/// Lets time go on to the next invocation and takes it.
fn next(world: &mut World) -> Option<Invocation> {
    loop {
        if let Some(Effect::Invoke(invocation)) = world.effects.pop_front() {
            return Some(invocation);
        }
        let due = world.next_due()?;
        world.advance(due);
    }
}

fn fail(world: &mut World, invocation: &Invocation) {
    completed(world, invocation, &Ended::Error("boom".into()));
}

#[test]
fn an_event_is_tried_three_times_and_then_kept() {
    let mut world = world(deploy());
    enqueue(&mut world, "deploy", json!({"n": 1})).unwrap();
    let start = world.now();
    let mut tries = Vec::new();
    while let Some(invocation) = next(&mut world) {
        tries.push((invocation.attempt, world.now().since(start).as_secs()));
        assert_eq!(invocation.deadline, world.now() + Duration::from_mins(1));
        fail(&mut world, &invocation);
    }
    assert_eq!(tries, [(1, 0), (2, 60), (3, 180)]);
    let [letter] = world.lambda.dead_letters.as_slice() else { panic!("one letter") };
    assert_eq!(letter.queue, QUEUE);
    assert_eq!(letter.body["requestPayload"], json!({"n": 1}));
    assert_eq!(letter.body["requestContext"]["condition"], "RetriesExhausted");
    assert_eq!(letter.body["requestContext"]["approximateInvokeCount"], 3);
    assert_eq!(letter.body["responsePayload"]["errorMessage"], "boom");
    assert!(world.lambda.is_idle());
    assert_eq!(world.lambda.log.len(), 3);
}

#[test]
fn one_success_ends_it() {
    let mut world = world(deploy());
    enqueue(&mut world, "deploy", json!({})).unwrap();
    let first = next(&mut world).unwrap();
    fail(&mut world, &first);
    let second = next(&mut world).unwrap();
    assert_eq!(second.request_id, first.request_id, "Lambda retries under the same request id");
    completed(&mut world, &second, &Ended::Ok(json!({})));
    assert_eq!(next(&mut world), None);
    assert!(world.lambda.dead_letters.is_empty());
}

#[test]
fn a_function_past_its_deadline_has_failed_whatever_it_says_later() {
    let mut world = world(Function { retries: 0, dead_letter: Some(QUEUE.into()), ..deploy() });
    enqueue(&mut world, "deploy", json!({"n": 1})).unwrap();
    let invocation = next(&mut world).unwrap();
    world.advance(invocation.deadline);
    assert!(world.lambda.is_idle());
    completed(&mut world, &invocation, &Ended::Ok(json!({})));
    assert_eq!(world.lambda.log.len(), 1, "too late");
    let letter = &world.lambda.dead_letters[0];
    assert_eq!(letter.body, json!({"n": 1}));
    assert!(
        letter.attributes["ErrorMessage"].ends_with("Error: Task timed out after 60.00 seconds"),
        "{}",
        letter.attributes["ErrorMessage"]
    );
}

#[test]
fn an_old_event_is_not_tried_again() {
    let mut world = world(Function { max_event_age: Duration::from_secs(100), ..deploy() });
    enqueue(&mut world, "deploy", json!({})).unwrap();
    for _ in 0..2 {
        let invocation = next(&mut world).unwrap();
        fail(&mut world, &invocation);
    }
    assert_eq!(next(&mut world), None);
    assert_eq!(world.lambda.dead_letters[0].body["requestContext"]["condition"], "EventAgeExceeded");
}

#[test]
fn reserved_concurrency_makes_events_wait() {
    let mut world = world(Function { reserved_concurrency: Some(1), ..deploy() });
    for _ in 0..3 {
        enqueue(&mut world, "deploy", json!({})).unwrap();
    }
    assert_eq!(world.effects.len(), 1);
    for _ in 0..3 {
        let invocation = next(&mut world).unwrap();
        assert_eq!(invocation.attempt, 1, "waiting is no try");
        assert!(world.effects.is_empty(), "one at once");
        completed(&mut world, &invocation, &Ended::Ok(Value::Null));
    }
    while let Some(due) = world.next_due() {
        world.advance(due);
    }
    assert!(world.lambda.is_idle());
}

#[test]
fn an_unknown_function_is_refused() {
    let mut world = world(deploy());
    assert_eq!(enqueue(&mut world, "nobody", json!({})), None);
    let ask = json!({"FunctionName": "nobody", "InvocationType": "Event"});
    let error = handle(&mut world, "Invoke", &ask).unwrap_err();
    assert_eq!((error.code.as_str(), error.status), ("ResourceNotFoundException", 404));
    let ask = json!({"FunctionName": "deploy", "InvocationType": "Event", "Payload": {"n": 1}});
    assert_eq!(handle(&mut world, "Invoke", &ask).unwrap(), json!({"StatusCode": 202}));
    assert_eq!(next(&mut world).unwrap().payload, json!({"n": 1}));
}
