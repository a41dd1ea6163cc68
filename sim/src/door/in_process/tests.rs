use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_ssm::Client;
use aws_sdk_ssm::config::retry::RetryConfig;
use aws_sdk_ssm::config::timeout::TimeoutConfig;
use aws_sdk_ssm::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::types::ParameterType;
use serde_json::json;

use super::functions::kill_next;
use super::*;
use crate::ServiceId;
use crate::gate::faults::{self, When};
use crate::gate::{Counts, Fault};
use crate::lambda::{self, Ended, Function};
use crate::world::Config;

mod balancer;
mod hooks;
mod metrics;

fn start() -> InProcess {
    InProcess::start(World::new(Config { seed: 7, ..Config::default() }))
}

fn builder(door: &InProcess) -> aws_sdk_ssm::config::Builder {
    aws_sdk_ssm::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(lambda::access_key("deploy"), "secret", None, None, "test"))
        .http_client(door.http_client())
        .time_source(door.time_source())
}

fn client(door: &InProcess) -> Client {
    Client::from_conf(builder(door).build())
}

async fn put(client: &Client, name: &str) -> Result<(), String> {
    let put = client.put_parameter().name(name).value("v").r#type(ParameterType::String).overwrite(true);
    put.send().await.map(|_| ()).map_err(|error| format!("{error:?}"))
}

fn puts(door: &InProcess) -> Counts {
    door.with(|world| world.gate.log.count(ServiceId::Ssm, "PutParameter"))
}

#[tokio::test(start_paused = true)]
async fn the_sdk_talks_to_the_world_and_time_goes_by() {
    let door = start();
    let ssm = client(&door);
    put(&ssm, "/a").await.unwrap();
    let got = ssm.get_parameter().name("/a").send().await.unwrap().parameter.unwrap();
    assert_eq!((got.value(), got.version), (Some("v"), 1));
    let taken = door.now().since(Config::default().start);
    assert!(taken >= Duration::from_millis(12), "two calls, there and back: {taken:?}");
    assert!(taken <= Duration::from_millis(80), "{taken:?}");
    let missing = ssm.get_parameter().name("/none").send().await.unwrap_err();
    assert!(missing.into_service_error().is_parameter_not_found());
}

#[tokio::test(start_paused = true)]
async fn the_sdk_retries_what_is_throttled_or_cut() {
    for fault in [
        faults::throttle_next(1),
        faults::fail_nth_call(1, When::After),
        faults::drop_nth_call(1, When::Before),
        faults::drop_nth_call(1, When::After),
    ] {
        let door = start();
        door.with(|world| world.gate.faults = fault);
        put(&client(&door), "/a").await.unwrap();
        assert_eq!(puts(&door), Counts { ok: 1, failed: 1 });
    }
}

#[tokio::test(start_paused = true)]
async fn without_retries_the_caller_sees_what_happened() {
    let door = start();
    let once = builder(&door).retry_config(RetryConfig::disabled());
    let limits = TimeoutConfig::builder().read_timeout(Duration::from_secs(5)).build();
    let ssm = Client::from_conf(once.timeout_config(limits).build());
    door.with(|world| world.gate.faults = faults::drop_nth_call(1, When::After));
    let cut = ssm.get_parameter().name("/a").send().await.unwrap_err();
    assert!(matches!(&cut, SdkError::DispatchFailure(failure) if failure.is_io()), "{cut:?}");
    door.with(|world| world.gate.faults = Box::new(|_, _| Fault::Delay(Duration::from_secs(9))));
    let late = ssm.get_parameter().name("/a").send().await.unwrap_err();
    assert!(matches!(&late, SdkError::DispatchFailure(failure) if failure.is_timeout()), "{late:?}");
}

/// A door whose function puts `/1`, `/2` and `/3`, one after the other.
fn with_function(door: &InProcess) -> Arc<AtomicU32> {
    let function = Function { timeout: Duration::from_secs(10), ..Function::named("deploy") };
    door.with(|world| {
        world.gate.throttling = false;
        lambda::install(world, function);
    });
    let done = Arc::new(AtomicU32::new(0));
    let (ssm, count) = (client(door), Arc::clone(&done));
    door.register("deploy", move |_| {
        let (ssm, count) = (ssm.clone(), Arc::clone(&count));
        async move {
            for name in ["/1", "/2", "/3"] {
                put(&ssm, name).await?;
            }
            count.fetch_add(1, Ordering::Relaxed);
            Ok(json!({}))
        }
    });
    done
}

fn invoke(door: &InProcess) {
    door.with(|world| lambda::enqueue(world, "deploy", json!({}))).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_function_killed_at_any_call_is_tried_again_and_ends() {
    for (call, when, ok) in
        [(1, When::Before, 3), (1, When::After, 4), (2, When::Before, 4), (3, When::After, 6)]
    {
        let door = start();
        let done = with_function(&door);
        door.set_kills(kill_next(call, when));
        invoke(&door);
        assert!(door.settle(Duration::from_mins(5)).await);
        assert_eq!(done.load(Ordering::Relaxed), 1);
        assert_eq!(puts(&door).ok, ok, "call {call} {when:?}");
        let ends: Vec<_> = door.with(|world| world.lambda.log.iter().map(|end| end.ended.clone()).collect());
        let [Ended::Error(killed), Ended::Ok(_)] = ends.as_slice() else { panic!("{ends:?}") };
        assert!(killed.ends_with("signal: killed"), "{killed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_that_hangs_or_panics_is_tried_three_times() {
    for hangs in [true, false] {
        let door = start();
        with_function(&door);
        door.register("deploy", move |_| async move {
            assert!(hangs, "as this test wants it");
            std::future::pending().await
        });
        invoke(&door);
        assert!(door.settle(Duration::from_mins(10)).await);
        let ends: Vec<_> = door.with(|world| world.lambda.log.iter().map(|end| end.ended.clone()).collect());
        let expected =
            if hangs { "Task timed out after 10.00 seconds" } else { "panicked: as this test wants it" };
        assert_eq!(ends.len(), 3);
        for end in ends {
            assert!(matches!(&end, Ended::Error(words) if words.ends_with(expected)), "{end:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_functions_at_once_interleave_and_repeat_under_one_seed() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let door = start();
        let done = with_function(&door);
        invoke(&door);
        invoke(&door);
        assert!(door.settle(Duration::from_mins(1)).await);
        assert_eq!(done.load(Ordering::Relaxed), 2);
        runs.push(door.with(|world| world.gate.log.records().map(|call| call.at).collect::<Vec<_>>()));
    }
    assert_eq!(runs[0], runs[1]);
    let ended = runs[0].windows(2).all(|pair| pair[0] <= pair[1]);
    assert!(ended && runs[0].len() == 6, "{:?}", runs[0]);
}

#[tokio::test(start_paused = true)]
async fn a_rule_rings_a_function_by_event_and_by_schedule() {
    let door = start();
    let done = with_function(&door);
    door.with(|world| {
        let arn = "arn:aws:lambda:eu-central-1:123456789012:function:deploy";
        for (operation, input) in [
            ("PutRule", json!({"Name": "r", "EventPattern": r#"{"detail":{"name":["/spec"]}}"#})),
            ("PutTargets", json!({"Rule": "r", "Targets": [{"Id": "1", "Arn": arn}]})),
            ("PutRule", json!({"Name": "s", "ScheduleExpression": "rate(1 minute)"})),
            ("PutTargets", json!({"Rule": "s", "Targets": [{"Id": "1", "Arn": arn}]})),
        ] {
            crate::bus::handle(world, operation, &input).unwrap();
        }
    });
    put(&client(&door), "/spec").await.unwrap();
    assert!(door.wait_for(Duration::from_secs(5), |world| world.lambda.log.len() == 1).await);
    door.run_for(Duration::from_secs(182)).await;
    assert_eq!(done.load(Ordering::Relaxed), 4);
    assert!(!door.wait_for(Duration::from_secs(1), |_| false).await, "a limit is a limit");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_outlives_its_world_gets_an_error() {
    let door = start();
    let ssm = client(&door);
    drop(door);
    tokio::task::yield_now().await;
    assert!(put(&ssm, "/a").await.unwrap_err().contains("the embedded AWS has ended"));
}
