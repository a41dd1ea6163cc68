//! Images of another account: forwarded pushes, what its policies do not allow, the same name twice;
//! replications and caches.

use std::time::Duration;

use serde_json::{Value, json};
use windlass_shared::ledger::RollbackTo;
use windlass_sim::ServiceId;
use windlass_tests::account::ByHand;
use windlass_tests::registry::{ACCOUNT, HOST, repository};
use windlass_tests::{ImageDigest, Stage, key, labelled, version};

/// Events take up to a second to each bus and function, and a pass some hundred milliseconds: the sweep has
/// nothing to do with what has begun by then.
const BY_EVENT: Duration = Duration::from_secs(5);
/// The sweep comes each minute.
const BY_SWEEP: Duration = Duration::from_secs(70);

/// `shop` with two tasks on version 1 of the registry account's `shop:latest`.
async fn shop(seed: u64, accounts: &str) -> (Stage, ImageDigest) {
    let mut stage = Stage::beside_a_registry(seed, accounts).await;
    let what = ByHand::tracking("shop", &format!("{}:latest", repository("shop")));
    let one = stage.service_by_hand(&what).await;
    (stage, one)
}

/// The image that a service's revision names.
fn image(stage: &Stage, service: &str, container: usize) -> String {
    let revision = stage.revision(stage.described(service)["taskDefinition"].as_str().unwrap());
    revision["containerDefinitions"][container]["image"].as_str().unwrap().to_owned()
}

/// Why each event of the registry account could not be forwarded.
fn not_forwarded(stage: &Stage) -> Vec<String> {
    let letters = stage.door.with(|world| std::mem::take(&mut world.lambda.dead_letters));
    let forward = letters.iter().filter(|letter| letter.queue.contains(ACCOUNT));
    forward
        .map(|letter| format!("{}: {}", letter.attributes["ERROR_CODE"], letter.attributes["ERROR_MESSAGE"]))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_push_in_the_registry_account_comes_to_live_by_its_event() {
    let (mut stage, one) = shop(1500, ACCOUNT).await;
    stage.traffic.to(stage.now(), "/shop", 10);
    let two = stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    assert_eq!(image(&stage, "shop", 0), format!("{HOST}/shop@{two}"), "{}", stage.picture().await);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.traffic.assert_none_failed();
    let history = stage.history(&key("shop")).await;
    let began = history.iter().rfind(|pass| pass.began.is_some()).unwrap();
    let cause = format!("push of shop:latest (sha256:{}…), account {ACCOUNT} in eu-central-1", two.short());
    assert_eq!(began.cause, cause);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_policy_of_the_bus_the_sweep_finds_the_push() {
    let (mut stage, one) = shop(1501, "").await;
    let _: Vec<String> = not_forwarded(&stage);
    let two = stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    let refused = not_forwarded(&stage);
    assert!(
        refused.iter().all(|why| why.starts_with("NO_PERMISSIONS: The policy of the bus"))
            && !refused.is_empty(),
        "{refused:?}"
    );
    stage.run_for(BY_SWEEP).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.assert_registered("shop", &[&one, &two]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_bus_lets_only_the_accounts_in_that_it_names() {
    let (mut stage, _) = shop(1502, "999988887777").await;
    let _: Vec<String> = not_forwarded(&stage);
    stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    assert!(!not_forwarded(&stage).is_empty());
    stage.run_for(BY_SWEEP).await;
    stage.finish().await;
}

/// A doorbell by hand, a question to verify: nothing but images' events is let in.
#[tokio::test(start_paused = true)]
async fn a_named_account_may_forward_events_of_images_and_nothing_else() {
    let (mut stage, _) = shop(1512, ACCOUNT).await;
    let events = ServiceId::Events;
    let pattern = json!({"source": ["windlass"]}).to_string();
    stage.by_hand_there(events, "PutRule", &json!({"Name": "bell", "EventPattern": pattern}));
    let target = json!({
        "Id": "there", "Arn": "arn:aws:events:eu-central-1:123456789012:event-bus/default",
        "RoleArn": format!("arn:aws:iam::{ACCOUNT}:role/registry-ForwardRole"),
        "DeadLetterConfig": {"Arn": format!("arn:aws:sqs:eu-central-1:{ACCOUNT}:letters")}});
    stage.by_hand_there(events, "PutTargets", &json!({"Rule": "bell", "Targets": [target]}));
    let detail = json!({"cluster": "main", "service": "shop"}).to_string();
    let entry = json!({"Source": "windlass", "DetailType": "Windlass Doorbell", "Detail": detail});
    stage.by_hand_there(events, "PutEvents", &json!({"Entries": [entry]}));
    stage.run_for(BY_EVENT).await;
    let refused = not_forwarded(&stage);
    assert!(
        matches!(&refused[..], [why] if why.starts_with("NO_PERMISSIONS: The policy of the bus")),
        "{refused:?}"
    );
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn without_the_repositorys_policy_the_next_step_is_told_and_what_runs_stays() {
    let (mut stage, one) = shop(1503, ACCOUNT).await;
    stage.by_hand_there(ServiceId::Ecr, "DeleteRepositoryPolicy", &json!({"repositoryName": "shop"}));
    let two = stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains(&format!("{HOST}/shop")), "{report}");
    let next = format!(
        "next: let this account ecr:DescribeImages in account {ACCOUNT}: set the policy of its repository shop as \
         docs/accounts.md shows"
    );
    assert!(report.contains(&next), "{report}");
    stage.open("shop");
    stage.run_for(BY_SWEEP).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_same_name_in_two_accounts_is_not_confused() {
    let mut stage = Stage::beside_a_registry(1504, ACCOUNT).await;
    let theirs_one = stage.push(&repository("shop"), "latest", &version("theirs 1"));
    let sidecar = json!({"name": "helper", "image": format!("{HOST}/shop:latest"), "cpu": 16, "memory": 32});
    let what = ByHand { sidecars: vec![sidecar], ..ByHand::tracking("ours", "shop:latest") };
    let ours_one = stage.service_by_hand(&what).await;
    let what = ByHand::tracking("theirs", &format!("{}:latest", repository("shop")));
    stage.service_by_hand(&ByHand { tag: "latest".into(), ..what }).await;
    let theirs_one = match stage.running("theirs").into_iter().next() {
        Some(digest) => digest.parse().unwrap(),
        None => theirs_one,
    };
    let ours_two = stage.push("shop", "latest", &version("ours 2"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("ours", &ours_two);
    stage.assert_live("theirs", &theirs_one);
    assert_eq!(image(&stage, "ours", 1), format!("{HOST}/shop:latest"), "a sidecar of theirs is not ours");
    let theirs_two = stage.push(&repository("shop"), "latest", &version("theirs 2"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.run_for(BY_SWEEP).await;
    stage.until_quiet().await;
    stage.assert_live("ours", &ours_two);
    stage.assert_live("theirs", &theirs_two);
    stage.assert_registered("ours", &[&ours_one, &ours_two]);
    stage.assert_registered("theirs", &[&theirs_one, &theirs_two]);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_own_registry_written_whole_is_the_own_one() {
    let mut stage = Stage::beside_a_registry(1505, ACCOUNT).await;
    let one = stage.push("shop", "latest", &version("1"));
    let spec = "image: {repository: 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop}\n\
                task: {cpu: 128, memory: 256}\n";
    stage.apply_spec("shop", spec);
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    let two = stage.push("shop", "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_spec_makes_a_service_of_another_accounts_image() {
    let mut stage = Stage::beside_a_registry(1506, ACCOUNT).await;
    let spec = format!("image: {{repository: {HOST}/shop}}\ntask: {{cpu: 128, memory: 256}}\n");
    stage.apply_spec("shop", &spec);
    stage.run_for(BY_EVENT).await;
    let one = stage.push(&repository("shop"), "latest", &version("1"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    assert_eq!(image(&stage, "shop", 0), format!("{HOST}/shop@{one}"));
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_registry_of_another_region_is_refused_with_the_way_out() {
    let mut stage = Stage::beside_a_registry(1507, ACCOUNT).await;
    let elsewhere = format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/shop");
    stage.apply_spec(
        "shop",
        &format!("image: {{repository: {elsewhere}}}\ntask: {{cpu: 128, memory: 256}}\n"),
    );
    stage.run_for(BY_EVENT).await;
    let report = stage.report(&key("shop")).await;
    let words = format!(
        "refused: repository {elsewhere} is in us-east-1, and this stack reads registries of eu-central-1 alone; let \
         ECR replicate it into eu-central-1 and name that one, or deploy a stack in us-east-1"
    );
    assert!(report.contains(&words), "{report}");
    let asked = stage.calls().iter().any(|call| call.service == ServiceId::Ecr);
    assert!(!asked, "no registry is asked for it");
    let letters = stage.door.with(|world| std::mem::take(&mut world.lambda.dead_letters));
    assert!(letters.is_empty(), "{letters:?}");
}

#[tokio::test(start_paused = true)]
async fn labels_of_another_accounts_image_make_nothing_and_what_nobody_follows_is_not_read() {
    let mut stage = Stage::beside_a_registry(1508, ACCOUNT).await;
    stage.push(
        &repository("team/admin"),
        "v1",
        &labelled("1", &[("windlass.path", "/admin/*"), ("windlass.port", "80")]),
    );
    stage.run_for(BY_EVENT).await;
    stage.run_for(BY_SWEEP).await;
    let described = stage.described("admin");
    assert_eq!(described, Value::Null, "no service is made");
    assert!(!stage.calls().iter().any(|call| call.service == ServiceId::Ecr), "nothing there is read");
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_replicated_repository_is_the_own_one() {
    let mut stage = Stage::beside_a_registry(1509, "").await;
    let one = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
    stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    stage.assert_live("shop", &one);
    let two = stage.replicate("shop", "latest");
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let history = stage.history(&key("shop")).await;
    let began = history.iter().rfind(|pass| pass.began.is_some()).unwrap();
    assert!(began.cause.starts_with("replication of shop:latest"), "{}", began.cause);
    let _: Vec<String> = not_forwarded(&stage);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_pull_through_cache_rings_whoever_follows_its_repository() {
    let mut stage = Stage::beside_a_registry(1510, "").await;
    let what = ByHand { repository: "hub/shop".into(), ..ByHand::tracking("shop", "hub/shop:latest") };
    let one = stage.service_by_hand(&what).await;
    stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_SWEEP).await;
    stage.assert_live("shop", &one);
    let two = stage.pull_through("hub", "shop", "latest");
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    let history = stage.history(&key("shop")).await;
    let began = history.iter().rfind(|pass| pass.began.is_some()).unwrap();
    assert!(began.cause.starts_with("pull of hub/shop:latest"), "{}", began.cause);
    let _: Vec<String> = not_forwarded(&stage);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_scan_in_the_registry_account_is_waited_for_and_its_end_rings() {
    let (mut stage, one) = shop(1513, ACCOUNT).await;
    stage
        .apply_spec("shop", &format!("image: {{repository: {HOST}/shop}}\nscan: {{max_severity: medium}}\n"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    let on = json!({"repositoryName": "shop", "imageScanningConfiguration": {"scanOnPush": true}});
    stage.by_hand_there(ServiceId::Ecr, "PutImageScanningConfiguration", &on);
    let two = stage.push(&repository("shop"), "latest", &labelled("2", &[("sim.findings", "LOW=9")]));
    stage.run_for(BY_EVENT).await;
    stage.assert_live("shop", &one);
    let report = stage.report(&key("shop")).await;
    assert!(report.contains("for the scan of"), "{report}");
    // Ten seconds a scan.
    stage.run_for(BY_EVENT * 2).await;
    let history = stage.history(&key("shop")).await;
    let began = history.iter().rfind(|pass| pass.began.is_some()).unwrap();
    assert!(began.cause.starts_with("scan of shop:latest"), "{}", began.cause);
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_finds_another_accounts_image() {
    let (mut stage, one) = shop(1514, ACCOUNT).await;
    let two = stage.push(&repository("shop"), "latest", &version("2"));
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &two);
    stage.roll_back(&key("shop"), RollbackTo::Previous).await;
    stage.run_for(BY_EVENT).await;
    stage.until_quiet().await;
    stage.assert_live("shop", &one);
    assert_eq!(image(&stage, "shop", 0), format!("{HOST}/shop@{one}"));
    stage.finish().await;
}

/// What the scenarios rest on: the embedded AWS asks both accounts.
#[tokio::test(start_paused = true)]
async fn both_accounts_must_allow_a_call() {
    let (stage, _) = shop(1511, ACCOUNT).await;
    let ask = |registry: &str, name: &str| json!({"registryId": registry, "repositoryName": name});
    assert!(stage.as_the_function("DescribeImages", &ask(ACCOUNT, "shop")).is_ok());
    // Another account's repository without a policy, one that is not there, an account that is not there.
    stage.push(&repository("closed"), "latest", &version("1"));
    for (registry, name) in [(ACCOUNT, "closed"), (ACCOUNT, "none"), ("999988887777", "shop")] {
        let denied = stage.as_the_function("DescribeImages", &ask(registry, name)).unwrap_err();
        let resource = format!("arn:aws:ecr:eu-central-1:{registry}:repository/{name}");
        assert!(denied.starts_with("AccessDeniedException") && denied.contains(&resource), "{denied}");
        assert!(
            denied.contains("because no resource-based policy allows the ecr:DescribeImages action"),
            "{denied}"
        );
    }
    // The other side allows it, the function's own role does not.
    let denied = stage.as_the_function("BatchCheckLayerAvailability", &ask(ACCOUNT, "shop")).unwrap_err();
    assert!(denied.contains("no identity-based policy"), "{denied}");
}
