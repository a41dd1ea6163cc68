//! The function killed during a whole rollout, and during each way that one ends early: at every
//! call that writes anything but the ledger, before its effect and after it, and at some of the
//! others (`SAMPLES` of them, evenly). Calls are counted over all invocations of all functions.

use std::time::Duration;

use serde_json::json;
use windlass_aws::clients::Retries;
use windlass_shared::ledger::{Outcome, RollbackTo};
use windlass_sim::ServiceId;
use windlass_sim::door::in_process::Kill;
use windlass_sim::gate::faults::When;
use windlass_tests::looks::FunctionCall;
use windlass_tests::stage::{Capacity, Setting};
use windlass_tests::{ImageDigest, key, version};

use super::super::strategies::groups;
use super::shop::{Moment, Shop, Strategy, spec};

/// As many reads and ledger calls are killed at in one test.
const SAMPLES: usize = 4;

/// What goes on while the function is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The whole rollout, with a person's yes in the middle where the strategy has one.
    Live,
    /// An alarm rings.
    GivenUp,
    /// `windlass rollback`.
    RolledBack,
    /// Nothing is rolled out: production's weights point at an empty group.
    Mended,
    /// Nothing is rolled out: the spec has its test route no more.
    Parked,
}

const TEST_ROUTE: &str = ", test_route: {header: x-test, values: [new]}";

impl Ends {
    /// What the spec's rollout says beside its strategy.
    fn more(self, strategy: Strategy) -> &'static str {
        match (self, strategy) {
            (Self::Live, Strategy::Rolling) | (Self::RolledBack | Self::Mended, _) => "",
            (Self::Live, _) => ", approval: {before: traffic}, test_route: {header: x-test, values: [new]}",
            (Self::GivenUp, _) => ", alarms: [errors]",
            (Self::Parked, _) => TEST_ROUTE,
        }
    }

    /// Where the function begins to be in danger.
    fn moment(self, strategy: Strategy) -> Moment {
        match (self, strategy) {
            (_, Strategy::OwnCanary) => Moment::Shares(250),
            (Self::RolledBack, Strategy::Rolling) => Moment::Stage("SCALE_UP"),
            _ => Moment::Stage("BAKE_TIME"),
        }
    }
}

/// A rollout whose functions were killed once, or never.
struct Run {
    shop: Shop,
    two: ImageDigest,
}

async fn run(strategy: Strategy, ends: Ends, kill: Option<Kill>) -> Run {
    let setting = Setting {
        seed: strategy.seed(16) + ends as u64,
        retries: Retries::Off,
        tick: Duration::from_secs(1),
        capacity: Capacity::Fixed,
    };
    let mut shop = Shop::with(strategy, setting, ends.more(strategy)).await;
    if ends == Ends::Live {
        in_danger(&shop, kill);
    }
    let two = match ends {
        Ends::Live | Ends::Mended | Ends::Parked => shop.push(&version("2")),
        Ends::GivenUp | Ends::RolledBack => shop.release_until(ends.moment(strategy)).await,
    };
    if matches!(ends, Ends::Mended | Ends::Parked) {
        shop.over().await;
    }
    if ends != Ends::Live {
        shop.stage.run_for(Duration::from_secs(5)).await;
        in_danger(&shop, kill);
    }
    match ends {
        Ends::Live if strategy != Strategy::Rolling => says_yes(&mut shop).await,
        Ends::Live => {}
        Ends::GivenUp => shop.stage.alarm("errors", true),
        Ends::RolledBack => shop.stage.roll_back(&key("shop"), RollbackTo::Previous).await,
        Ends::Mended => lead_astray(&mut shop),
        Ends::Parked => shop.stage.apply_spec("shop", &spec(strategy, "")),
    }
    // Lambda's own retry comes after a minute, and the dead holder's lease ends by then.
    shop.stage.run_for(Duration::from_mins(3)).await;
    shop.over().await;
    Run { shop, two }
}

fn in_danger(shop: &Shop, kill: Option<Kill>) {
    shop.stage.door.with(|world| world.gate.log.clear());
    if let Some(kill) = kill {
        shop.stage.door.kill_at(kill);
    }
}

async fn says_yes(shop: &mut Shop) {
    let end = shop.stage.now() + Duration::from_mins(15);
    while shop.stage.row(&key("shop")).await.state.marks.question.is_none() {
        assert!(shop.stage.now() < end, "nobody asks\n{}", shop.stage.picture().await);
        shop.stage.run_for(Duration::from_secs(2)).await;
    }
    shop.stage.say(&key("shop"), true, "go").await;
}

/// Somebody gives all requests to the group that nobody is in. (They fail until it is mended.)
fn lead_astray(shop: &mut Shop) {
    shop.stage.watch.tolerate("shop");
    let rules = shop.stage.door.with(|world| windlass_sim::elb::rules(world, &shop.stage.listener));
    let rule = rules.into_iter().find(|rule| rule.priority.is_some()).expect("a rule");
    let weight = |group: &windlass_sim::elb::GroupView| if group.name == groups()[0] { 100 } else { 0 };
    let led: Vec<_> = rule
        .groups
        .iter()
        .map(|group| json!({"TargetGroupArn": group.arn, "Weight": weight(group)}))
        .collect();
    let actions = json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": led}}]);
    let input = json!({"RuleArn": rule.arn, "Actions": actions});
    shop.stage.by_hand(ServiceId::ElasticLoadBalancing, "ModifyRule", &input);
    shop.stage.ring(&key("shop"));
}

impl Run {
    async fn ends_well(self, strategy: Strategy, ends: Ends) {
        let Self { shop, two } = self;
        shop.stage.assert_registered("main-shop", &[&shop.one, &two]);
        let outcomes: Vec<_> =
            shop.stage.releases(&key("shop")).await.into_iter().map(|it| (it.digest, it.outcome)).collect();
        let is_back = matches!(ends, Ends::GivenUp | Ends::RolledBack);
        let outcome = if is_back { Outcome::RolledBack } else { Outcome::Live };
        assert_eq!(
            outcomes[..2],
            [(shop.one.clone(), Outcome::Live), (two.clone(), outcome)],
            "{strategy:?}, {ends:?}"
        );
        match ends {
            Ends::Live => shop.ends_live(&two).await,
            Ends::GivenUp => {
                shop.stage.alarm("errors", false);
                shop.went_back(&two, "").await;
            }
            Ends::RolledBack => shop.went_back(&two, "rolled back by ann: it is slow").await,
            Ends::Mended => {
                shop.alone(&two).await;
                shop.stage.finish().await;
            }
            Ends::Parked => {
                let rules =
                    shop.stage.door.with(|world| windlass_sim::elb::rules(world, &shop.stage.listener));
                let parked =
                    |it: &windlass_sim::elb::RuleView| it.conditions.iter().any(|it| it.contains(".invalid"));
                assert_eq!(rules.iter().filter(|rule| parked(rule)).count(), 1, "{rules:?}");
                shop.ends_live(&two).await;
            }
        }
    }
}

/// At which calls a run is killed: 1 for its first.
async fn points(strategy: Strategy, ends: Ends) -> Vec<(u32, When)> {
    let run = run(strategy, ends, None).await;
    let keys =
        [&run.shop.stage.function, &run.shop.stage.verify].map(|it| windlass_sim::lambda::access_key(it));
    let calls: Vec<FunctionCall> = run.shop.stage.door.with(|world| {
        let records = world.gate.log.records();
        records.filter(|it| keys.contains(&it.caller.access_key)).map(FunctionCall::from).collect()
    });
    run.ends_well(strategy, ends).await;
    let stride = (calls.len() / SAMPLES).max(1);
    let offset = strategy as usize % stride;
    let mut points = Vec::new();
    for (number, call) in (1..).zip(&calls) {
        if call.is_write() && !["dynamodb", "events"].contains(&call.service.name()) {
            points.extend([(number, When::Before), (number, When::After)]);
        } else if number as usize % stride == offset {
            points.push((number, When::After));
        }
    }
    println!("{strategy:?}, {ends:?}: {} calls, {} kills", calls.len(), points.len());
    points
}

async fn killed_everywhere(strategy: Strategy, ends: Ends) {
    let points = points(strategy, ends).await;
    let mut killed = 0;
    for &(call, when) in &points {
        println!("{strategy:?}, {ends:?}: call {call}, {when:?}");
        let run = run(strategy, ends, Some(Kill { call, when })).await;
        killed += usize::from(run.shop.stage.errors().iter().any(|error| error.contains("signal: killed")));
        run.ends_well(strategy, ends).await;
    }
    assert!(points.len() >= 4, "{points:?}");
    // A run that is killed early may be over before its last call's number.
    let spared = points.len() - killed;
    assert!(spared <= 1 + points.len() / 10, "{killed} of {} runs were killed", points.len());
}

pub(super) async fn of_the_rollout(strategy: Strategy) {
    killed_everywhere(strategy, Ends::Live).await;
}

pub(super) async fn of_the_giving_up(strategy: Strategy) {
    killed_everywhere(strategy, Ends::GivenUp).await;
}

pub(super) async fn of_the_rollback(strategy: Strategy) {
    killed_everywhere(strategy, Ends::RolledBack).await;
}

/// The rule of test requests is parked.
pub(super) async fn of_the_parking(strategy: Strategy) {
    killed_everywhere(strategy, Ends::Parked).await;
}

/// Of strategies that leave production in one of two groups.
pub(super) async fn of_the_mending(strategy: Strategy) {
    killed_everywhere(strategy, Ends::Mended).await;
}
