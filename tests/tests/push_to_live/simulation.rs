//! Seeded runs of push bursts while everything goes wrong: events lost, doubled, late and
//! out of order; several functions at once; calls slow, refused, cut before and after
//! their effect; functions killed anywhere. Each run ends on the newest image, with one
//! revision for each release.
//!
//! `WINDLASS_SEEDS=1000 cargo test -p windlass-tests simulation` makes more of them (the
//! default is 200); `WINDLASS_SEED=17` makes that one again, and it goes the same way.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windlass_aws::clients::Retries;
use windlass_sim::bus::{Chaos, DeliveryFaults};
use windlass_sim::door::in_process::{Kill, Latency};
use windlass_sim::gate::Fault;
use windlass_sim::gate::faults::{self, When};
use windlass_tests::account::ByHand;
use windlass_tests::stage::{Capacity, Setting};
use windlass_tests::{ImageDigest, Stage, broken, version};

use super::create;

/// A service of a run, and what was pushed for it.
struct Service {
    name: &'static str,
    family: &'static str,
    newest: ImageDigest,
}

/// One run; panics where it does not end as it must. What it comes to tells two runs apart.
async fn run(seed: u64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let setting =
        Setting { seed, retries: Retries::Off, tick: Duration::from_secs(1), capacity: Capacity::Fixed };
    let mut stage = Stage::with(setting).await;
    let mut services = scenery(&mut stage, &mut rng).await;
    all_goes_wrong(&stage, rng.random());
    for _ in 0..rng.random_range(1..=10) {
        let at = rng.random_range(0..services.len());
        let gap = if rng.random_bool(0.6) { rng.random_range(0..1500) } else { rng.random_range(0..40_000) };
        let service = &mut services[at];
        let content = format!("{seed} {} {}", service.name, rng.random_range(0..1_000_000));
        if rng.random_bool(0.1) {
            stage.push(service.name, "latest", &broken(&content));
            stage.run_for(Duration::from_millis(gap)).await;
        }
        service.newest = stage.push(service.name, "latest", &version(&content));
        stage.run_for(Duration::from_millis(gap)).await;
    }
    stage.run_for(Duration::from_mins(1)).await;
    all_goes_well(&stage);
    stage.run_for(Duration::from_mins(3)).await;
    stage.until_quiet().await;
    for service in &services {
        stage.assert_live(service.name, &service.newest);
        let registered = stage.registrations(service.family);
        assert_eq!(registered.values().max(), Some(&1), "one registration per change: {registered:?}");
    }
    let outcome = format!("{} {} calls", stage.now(), stage.calls().len());
    // Dead letters are what killing does; the sweep answers them.
    stage.sweeps_without_a_write().await;
    stage.watch.verdict();
    outcome
}

/// One service or two, made by hand or by Windlass, quiet.
async fn scenery(stage: &mut Stage, rng: &mut ChaCha8Rng) -> Vec<Service> {
    let mut services = Vec::new();
    if rng.random_bool(0.7) {
        let newest = stage.service_by_hand(&ByHand::tracking("shop", "shop:latest")).await;
        services.push(Service { name: "shop", family: "shop", newest });
    } else {
        stage.apply_spec("shop", create::SPEC);
        let newest = stage.push("shop", "latest", &version("1"));
        // Half of these are made while everything goes wrong.
        if rng.random_bool(0.5) {
            stage.run_for(Duration::from_secs(2)).await;
            stage.until_quiet().await;
        }
        services.push(Service { name: "shop", family: "main-shop", newest });
    }
    if rng.random_bool(0.5) {
        let newest = stage.service_by_hand(&ByHand::tracking("admin", "admin:latest")).await;
        services.push(Service { name: "admin", family: "admin", newest });
    }
    services
}

fn all_goes_wrong(stage: &Stage, seed: u64) {
    stage.door.set_latency(Latency { least: Duration::from_millis(1), most: Duration::from_millis(900) });
    let chaos = Chaos { lost: 0.2, doubled: 0.4, latest: Duration::from_secs(25) };
    let mut of_kills = ChaCha8Rng::seed_from_u64(seed ^ 1);
    stage.door.set_kills(Box::new(move |_| {
        let when = if of_kills.random_bool(0.5) { When::Before } else { When::After };
        let kill = Kill { call: of_kills.random_range(1..=30), when };
        of_kills.random_bool(0.3).then_some(kill)
    }));
    let mut of_calls = ChaCha8Rng::seed_from_u64(seed ^ 2);
    let function = windlass_sim::lambda::access_key(&stage.function);
    stage.door.with(|world| {
        world.bus.delivery = DeliveryFaults::chaos(seed, chaos);
        world.gate.faults = Box::new(move |call, _| {
            if call.caller.access_key != function {
                return Fault::None;
            }
            match of_calls.random_range(0..100) {
                0 => Fault::RefuseBefore(faults::internal(call.service)),
                1 => Fault::FailAfter(faults::internal(call.service)),
                2 => Fault::DropBefore,
                3 => Fault::DropAfter,
                4..8 => Fault::Delay(Duration::from_millis(of_calls.random_range(0..15_000))),
                _ => Fault::None,
            }
        });
    });
}

fn all_goes_well(stage: &Stage) {
    stage.door.set_latency(Latency::default());
    stage.door.set_kills(Box::new(|_| None));
    stage.door.with(|world| {
        world.bus.delivery = DeliveryFaults::default();
        world.gate.faults = faults::none();
    });
}

/// A run on a runtime of its own, on a clock of its own.
fn run_alone(seed: u64) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(run(seed))
}

#[test]
fn bursts_end_on_the_newest_image_whatever_goes_wrong() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    if let Some(seed) = number("WINDLASS_SEED") {
        println!("seed {seed}: {}", run_alone(seed));
        return;
    }
    let seeds = number("WINDLASS_SEEDS").unwrap_or(200);
    let (next, failed) = (AtomicU64::new(1), Mutex::new(Vec::new()));
    let began = Instant::now();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > seeds {
                        return;
                    }
                    if catch_unwind(AssertUnwindSafe(|| run_alone(seed))).is_err() {
                        failed.lock().expect("no panic holds it").push(seed);
                    }
                }
            });
        }
    });
    let took = began.elapsed().as_secs_f64();
    println!("{seeds} runs in {took:.1} s on {threads} threads");
    let mut failed = failed.into_inner().expect("no panic holds it");
    failed.sort_unstable();
    assert!(
        failed.is_empty(),
        "{} of {seeds} seeds failed: {failed:?}; again with \
         `WINDLASS_SEED={} cargo test -p windlass-tests --test push_to_live simulation`",
        failed.len(),
        failed[0]
    );
}

#[test]
fn a_seed_goes_the_same_way_again() {
    assert_eq!(run_alone(17), run_alone(17));
}
