//! The ledger against an embedded DynamoDB: rings, leases, fences, history, the index.

mod support;

use std::collections::BTreeMap;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use windlass_aws::ledger::{Lease, Ledger, LedgerError, Released, RingResult, StateWrite};
use windlass_shared::facts::Stops;
use windlass_shared::id::{ClusterName, FencingToken, InstanceId, ServiceKey, Timestamp};
use windlass_shared::ledger::{
    ClusterRecord, ClusterState, DepartureEnd, Hold, HowItEnded, InstanceKey, InstanceState, Manner, Outcome,
    PassRecord, Quarantine, Release, ServiceRow, ServiceState, StopScope,
};

fn key() -> ServiceKey {
    ServiceKey::new("main", "shop")
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + secs).unwrap()
}

fn leased(result: RingResult) -> (Lease, ServiceRow) {
    match result {
        RingResult::Leased { lease, row } => (lease, row),
        RingResult::Busy { holder, .. } => panic!("busy with {holder}"),
    }
}

async fn ring(ledger: &Ledger, now: i64, holder: &str) -> RingResult {
    ledger.ring_and_lease(&key(), at(now), at(now + 60), holder).await.unwrap()
}

fn state(generation: u64) -> ServiceState {
    ServiceState { generation, ..ServiceState::default() }
}

async fn write(ledger: &Ledger, lease: &Lease, state: &ServiceState) -> Result<(), LedgerError> {
    ledger.write_state(lease, StateWrite { state, quarantine: &BTreeMap::new() }).await
}

#[tokio::test]
async fn the_first_ring_takes_the_lease_and_brings_the_row() {
    let ledger = support::ledger(0).await;
    let (lease, row) = leased(ring(&ledger, 0, "a").await);
    assert_eq!((row.rung, row.answered, row.token), (1, 0, FencingToken(1)));
    assert_eq!((lease.token, lease.until), (FencingToken(1), at(60)));
    assert_eq!(ledger.release(&lease, 1, None).await.unwrap(), Released::Released);
    let (_, row) = leased(ring(&ledger, 1, "b").await);
    assert_eq!((row.rung, row.answered, row.token), (2, 1, FencingToken(2)));
}

#[tokio::test]
async fn a_ring_during_a_pass_leaves_at_once_and_sends_the_holder_round_again() {
    let ledger = support::ledger(0).await;
    let (lease, row) = leased(ring(&ledger, 0, "a").await);
    match ring(&ledger, 1, "b").await {
        RingResult::Busy { row, holder, until } => {
            assert_eq!((row.rung, holder.as_str(), until), (2, "a", at(60)));
        }
        RingResult::Leased { .. } => panic!("two holders"),
    }
    let again = ledger.release(&lease, row.rung, None).await.unwrap();
    assert_eq!(again, Released::RungAgain { rung: 2 });
    assert_eq!(ledger.release(&lease, 2, None).await.unwrap(), Released::Released);
    let row = ledger.row(&key()).await.unwrap();
    assert_eq!((row.rung, row.answered), (2, 2));
}

#[tokio::test]
async fn a_dead_holders_lease_runs_out_and_its_late_writes_are_refused() {
    let ledger = support::ledger(0).await;
    let (dead, row) = leased(ring(&ledger, 0, "a").await);
    assert!(matches!(ring(&ledger, 59, "b").await, RingResult::Busy { .. }));
    let (lease, _) = leased(ring(&ledger, 60, "b").await);
    write(&ledger, &lease, &state(1)).await.unwrap();

    for refused in [
        write(&ledger, &dead, &state(9)).await,
        ledger.release(&dead, row.rung, None).await.map(drop),
        ledger.renew(&mut Lease { ..dead }, at(600)).await,
    ] {
        match refused.unwrap_err() {
            LedgerError::LeaseLost { held, newest, .. } => {
                assert_eq!((held, newest), (FencingToken(1), FencingToken(2)));
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(ledger.row(&key()).await.unwrap().state.generation, 1);
}

#[tokio::test]
async fn a_lease_that_ran_out_still_writes_while_nobody_took_it_and_can_be_renewed() {
    let ledger = support::ledger(0).await;
    let (mut lease, _) = leased(ring(&ledger, 0, "a").await);
    ledger.renew(&mut lease, at(120)).await.unwrap();
    assert!(matches!(ring(&ledger, 61, "b").await, RingResult::Busy { .. }));
    write(&ledger, &lease, &state(3)).await.unwrap();
    assert_eq!(ledger.row(&key()).await.unwrap().state, state(3));
}

#[tokio::test]
async fn a_call_made_again_for_its_lost_answer_knows_its_own_lease() {
    let ledger = support::ledger(0).await;
    let (lost, _) = leased(ring(&ledger, 0, "a").await);
    // The same event, delivered once more, is somebody else.
    assert!(matches!(ring(&ledger, 1, "a").await, RingResult::Busy { .. }));
    let (lease, _) = leased(ring(&ledger, 0, "a").await);
    assert!(lease.token > lost.token);
    assert!(write(&ledger, &lost, &state(1)).await.is_err());
    write(&ledger, &lease, &state(2)).await.unwrap();
}

#[tokio::test]
async fn what_a_pass_writes_goes_with_its_release_or_not_at_all() {
    let ledger = support::ledger(0).await;
    let (lease, row) = leased(ring(&ledger, 0, "a").await);
    let (state, quarantine) = (state(1), BTreeMap::new());
    let written = StateWrite { state: &state, quarantine: &quarantine };
    ledger.ring(&key()).await.unwrap();
    let again = ledger.release(&lease, row.rung, Some(written)).await.unwrap();
    assert_eq!(again, Released::RungAgain { rung: 2 });
    assert_eq!(ledger.row(&key()).await.unwrap().state.generation, 0);
    assert_eq!(ledger.release(&lease, 2, Some(written)).await.unwrap(), Released::Released);
    assert_eq!(ledger.row(&key()).await.unwrap().state, state);
}

#[tokio::test]
async fn people_hold_and_release_without_the_lease_and_passes_do_not_overwrite_them() {
    let ledger = support::ledger(0).await;
    let hold = Hold { by: "ann".into(), reason: "release day".into(), at: at(0) };
    ledger.hold(&key(), &hold).await.unwrap();
    let (lease, row) = leased(ring(&ledger, 0, "a").await);
    assert_eq!(row.hold.as_ref(), Some(&hold));

    let failed = |n: char| format!("sha256:{}", n.to_string().repeat(64)).parse().unwrap();
    let why = |reason: &str| Quarantine {
        reason: reason.into(),
        at: at(1),
        deployment: None,
        spec: None,
        until: None,
    };
    let quarantine = BTreeMap::from([(failed('1'), why("exit 1")), (failed('2'), why("unhealthy"))]);
    ledger.write_state(&lease, StateWrite { state: &state(1), quarantine: &quarantine }).await.unwrap();
    assert_eq!(ledger.row(&key()).await.unwrap().quarantine, quarantine);

    assert!(ledger.release_digest(&key(), &failed('1')).await.unwrap());
    assert!(!ledger.release_digest(&key(), &failed('1')).await.unwrap());
    assert!(ledger.resume(&key()).await.unwrap());
    assert!(!ledger.resume(&key()).await.unwrap());
    write(&ledger, &lease, &state(2)).await.unwrap();
    let row = ledger.row(&key()).await.unwrap();
    assert_eq!((row.hold, row.quarantine.len(), row.state.generation), (None, 1, 2));
    let unseen = ServiceKey::new("main", "unseen");
    assert!(!ledger.release_digest(&unseen, &failed('1')).await.unwrap());
    assert_eq!(ledger.row(&unseen).await.unwrap(), ServiceRow::new(unseen));
}

fn pass(secs: i64, generation: u64) -> PassRecord {
    PassRecord {
        schema: windlass_shared::ledger::SCHEMA,
        key: key(),
        at: at(secs),
        generation,
        token: FencingToken(1),
        cause: "ecr push shop:latest".into(),
        by: "deploy".into(),
        steps: Vec::new(),
        report: Vec::new(),
        began: None,
        ended: Vec::new(),
    }
}

#[tokio::test]
async fn history_comes_newest_first_and_a_pass_is_recorded_once() {
    let ledger = support::ledger(0).await;
    for (secs, generation) in [(5, 2), (1, 1), (5, 10), (1, 1)] {
        ledger.record(&pass(secs, generation)).await.unwrap();
    }
    let generations = |passes: Vec<PassRecord>| passes.iter().map(|p| p.generation).collect::<Vec<_>>();
    assert_eq!(generations(ledger.history(&key(), 10).await.unwrap()), [10, 2, 1]);
    assert_eq!(generations(ledger.history(&key(), 1).await.unwrap()), [10]);
    // What a pass saw end is said first, and again with what it then did: one item.
    let release = Release {
        digest: format!("sha256:{}", "1".repeat(64)).parse().unwrap(),
        tag: None,
        from_digest: None,
        task_definition: None,
        deployment: None,
        outcome: Outcome::Superseded,
        reason: None,
        pushed_at: None,
        started_at: at(0),
        ended_at: at(5),
        manner: Manner::Rolling,
        approvals: Vec::new(),
        verdicts: Vec::new(),
    };
    ledger.record(&PassRecord { ended: vec![release], ..pass(5, 10) }).await.unwrap();
    let passes = ledger.history(&key(), 10).await.unwrap();
    assert_eq!(passes[0].ended.len(), 1);
    assert_eq!(generations(passes), [10, 2, 1]);
}

#[tokio::test]
async fn the_index_follows_a_service_from_repository_to_repository() {
    let ledger = support::ledger(0).await;
    let (shop, base) = ("shop".into(), "base".into());
    let admin = ServiceKey::new("main", "admin");
    ledger.index_put(&key(), &base, None).await.unwrap();
    ledger.index_put(&admin, &base, None).await.unwrap();
    ledger.index_put(&key(), &shop, Some(&base)).await.unwrap();
    assert_eq!(ledger.index_query(&base).await.unwrap(), std::slice::from_ref(&admin));
    assert_eq!(ledger.index_query(&shop).await.unwrap(), [key()]);
    assert_eq!(ledger.services().await.unwrap(), [admin.clone(), key()]);
    ledger.index_remove(&admin, &base).await.unwrap();
    assert_eq!(ledger.services().await.unwrap(), [key()]);
}

#[tokio::test]
async fn rows_come_by_the_hundred_and_only_those_that_are_there() {
    let ledger = support::ledger(0).await;
    let keys: Vec<_> = (0..150).map(|n| ServiceKey::new("main", format!("s{n}"))).collect();
    for key in keys.iter().step_by(2) {
        ledger.ring(key).await.unwrap();
    }
    let twice: Vec<_> = keys.iter().chain(&keys).cloned().collect();
    let rows = ledger.rows(&twice).await.unwrap();
    assert_eq!(rows.len(), 75);
    assert!(rows.values().all(|row| row.rung == 1 && row.key.cluster.as_str() == "main"));
}

#[tokio::test]
async fn a_row_that_does_not_read_hides_no_other() {
    let (dynamo, ledger) = support::table(0).await;
    let admin = ServiceKey::new("main", "admin");
    ledger.ring(&key()).await.unwrap();
    ledger.ring(&admin).await.unwrap();
    dynamo
        .update_item()
        .table_name(ledger.table())
        .key("pk", AttributeValue::S("service#main/admin".into()))
        .key("sk", AttributeValue::S("state".into()))
        .update_expression("SET rung = :text")
        .expression_attribute_values(":text", AttributeValue::S("often".into()))
        .send()
        .await
        .unwrap();
    let rows = ledger.rows(&[key(), admin.clone()]).await.unwrap();
    assert_eq!(rows.keys().collect::<Vec<_>>(), [&key()]);
    assert!(matches!(ledger.row(&admin).await, Err(LedgerError::Corrupt { .. })));
}

/// One doorbell's whole life: ring, and if the lease is ours, pass until nobody rang.
/// Returns the `rung` that its last pass answered.
async fn doorbell(ledger: &Ledger, name: usize) -> Option<u64> {
    let (lease, mut row) = match ring(ledger, 0, &format!("holder {name}")).await {
        RingResult::Leased { lease, row } => (lease, row),
        RingResult::Busy { .. } => return None,
    };
    loop {
        // The pass itself: reads and one write, with the others' calls in between.
        let generation = ledger.row(&key()).await.unwrap().state.generation;
        write(ledger, &lease, &state(generation + 1)).await.unwrap();
        match ledger.release(&lease, row.rung, None).await.unwrap() {
            Released::Released => return Some(row.rung),
            Released::RungAgain { rung } => row.rung = rung,
        }
    }
}

#[tokio::test]
async fn in_any_order_of_calls_no_ring_is_lost_and_nobody_holds_the_lease_beside_another() {
    for seed in 0..150 {
        let ledger = support::ledger(seed).await;
        let rings = 2 + seed % 7;
        let answered = join_all((0..rings).map(|n| doorbell(&ledger, usize::try_from(n).unwrap()))).await;
        let row = ledger.row(&key()).await.unwrap();
        let passes: Vec<u64> = answered.into_iter().flatten().collect();
        // A ring that found the lease held, then free, is counted once: it rang once.
        assert_eq!(row.rung, rings, "seed {seed}");
        assert_eq!(row.answered, row.rung, "seed {seed}: a ring was lost");
        assert_eq!(passes.iter().max(), Some(&row.rung), "seed {seed}");
        // Every write was under the newest token, or `doorbell` would have panicked; and
        // none overwrote another's.
        let (_, last) = leased(ring(&ledger, 1, "end").await);
        assert_eq!(last.token.0, passes.len() as u64 + 1, "seed {seed}");
        assert!(row.state.generation >= passes.len() as u64, "seed {seed}");
    }
}

#[tokio::test]
async fn stops_are_one_item_set_and_ended_scope_by_scope() {
    let ledger = support::ledger(0).await;
    assert_eq!(ledger.stops().await.unwrap(), Stops::default());
    let why = |reason: &str| Hold { by: "ann".into(), reason: reason.into(), at: at(1) };
    let main = StopScope::Cluster("main".into());
    ledger.stop(&StopScope::Everywhere, &why("fire")).await.unwrap();
    ledger.stop(&main, &why("smoke")).await.unwrap();
    let stops = ledger.stops().await.unwrap();
    assert_eq!(stops.of(&"staging".into()), Some((StopScope::Everywhere, &why("fire"))));
    assert!(ledger.start(&StopScope::Everywhere).await.unwrap());
    assert!(!ledger.start(&StopScope::Everywhere).await.unwrap(), "it was ended");
    let stops = ledger.stops().await.unwrap();
    assert_eq!(stops.of(&"main".into()), Some((main, &why("smoke"))));
    assert_eq!(stops.of(&"staging".into()), None);
}

#[tokio::test]
async fn clusters_and_instances_have_rows_leases_and_histories_of_their_own() {
    let ledger = support::ledger(0).await;
    let cluster = ClusterName::new("main");
    let instance = InstanceKey::new("main", "i-1");
    let RingResult::Leased { lease, row } =
        ledger.ring_and_lease(&cluster, at(0), at(60), "a").await.unwrap()
    else {
        panic!("nobody else is there")
    };
    assert_eq!(row.rung, 1);
    let state = ClusterState { generation: 7, ..ClusterState::default() };
    assert_eq!(
        ledger
            .release(&lease, row.rung, Some(StateWrite { state: &state, quarantine: &BTreeMap::new() }))
            .await
            .unwrap(),
        Released::Released
    );
    assert_eq!(ledger.row(&cluster).await.unwrap().state, state);
    // A service and an instance of the same name are others.
    assert_eq!(ledger.row(&ServiceKey::new("main", "main")).await.unwrap().rung, 0);
    assert_eq!(ledger.ring(&instance).await.unwrap(), 1);
    assert_eq!(ledger.row(&instance).await.unwrap().rung, 1);
    assert_eq!(ledger.row(&cluster).await.unwrap().rung, 1);

    let record = |instance: Option<InstanceId>| ClusterRecord {
        schema: 1,
        cluster: cluster.clone(),
        instance,
        at: at(5),
        generation: 1,
        token: lease.token,
        cause: "test".into(),
        by: "a".into(),
        steps: Vec::new(),
        report: vec!["why".into()],
    };
    ledger.record_of_cluster(&record(None)).await.unwrap();
    ledger.record_of_cluster(&record(Some("i-1".into()))).await.unwrap();
    assert_eq!(ledger.cluster_history(&cluster, 5).await.unwrap(), [record(None)]);
    assert_eq!(ledger.cluster_history(&instance, 5).await.unwrap(), [record(Some("i-1".into()))]);
}

#[tokio::test]
async fn the_row_of_an_instance_that_is_gone_expires_and_one_that_leaves_again_does_not() {
    let (dynamo, ledger) = support::table(0).await;
    let key = InstanceKey::new("main", "i-1");
    let RingResult::Leased { lease, row } = ledger.ring_and_lease(&key, at(0), at(60), "a").await.unwrap()
    else {
        panic!("nobody else is there")
    };
    let ttl = async || {
        let get = dynamo.get_item().table_name("ledger");
        let get = get.key("pk", AttributeValue::S("instance#main/i-1".into()));
        let got = get.key("sk", AttributeValue::S("state".into())).send().await.unwrap();
        got.item.unwrap().get("ttl").map(|it| it.as_n().unwrap().clone())
    };
    let leaves = InstanceState { generation: 1, ..InstanceState::default() };
    ledger.write_state(&lease, StateWrite { state: &leaves, quarantine: &BTreeMap::new() }).await.unwrap();
    assert_eq!(ttl().await, None, "it is not gone yet");
    let back = DepartureEnd { how: HowItEnded::TakenBack, at: at(5) };
    let ended = InstanceState { generation: 2, ended: Some(back), ..InstanceState::default() };
    ledger.write_state(&lease, StateWrite { state: &ended, quarantine: &BTreeMap::new() }).await.unwrap();
    assert_eq!(ttl().await, Some((at(5).as_second() + 90 * 86_400).to_string()));
    assert_eq!(
        ledger
            .release(&lease, row.rung, Some(StateWrite { state: &leaves, quarantine: &BTreeMap::new() }))
            .await
            .unwrap(),
        Released::Released
    );
    assert_eq!(ttl().await, None, "it leaves again");
    assert_eq!(ledger.row(&key).await.unwrap().state, leaves);
}
