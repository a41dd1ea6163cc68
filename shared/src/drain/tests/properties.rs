//! Over any instance: no plan breaks the invariants, and an instance that is let go is empty, or timed out
//! with a record of all that is cut.

use proptest::prelude::*;

use super::world::{World, at};
use crate::drain::facts::Warning;
use crate::drain::{Step, check, plan};
use crate::facts::Fact;
use crate::ledger::WhyItLeaves;

const WHYS: [WhyItLeaves; 6] = [
    WhyItLeaves::Consolidation,
    WhyItLeaves::Rotation,
    WhyItLeaves::Person,
    WhyItLeaves::Hook,
    WhyItLeaves::Spot,
    WhyItLeaves::Rebalance,
];
const SPECS: [&str; 4] = [
    "",
    "on_timeout: let_go, timeout_secs: 120",
    "on_timeout: wait",
    "rebalance: ignore, take_back_secs: 300",
];
const LIFECYCLES: [&str; 5] =
    ["InService", "Terminating:Wait", "Terminating:Proceed", "ReplacingRootVolume:Wait", "Pending"];
const STATES: [&str; 4] = ["healthy", "unhealthy", "draining", "unused"];

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "an axis of the cases each")]
struct Case {
    lifecycle: usize,
    is_ours: bool,
    managed: bool,
    drains: bool,
    mark: Option<usize>,
    warning: Option<bool>,
    spec: usize,
    tasks: Vec<(u8, bool)>,
    targets: Vec<usize>,
    gone: bool,
    later: Vec<i64>,
}

fn cases() -> impl Strategy<Value = Case> {
    let first = (0..5_usize, any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(0..6_usize));
    let then = (
        prop::option::of(any::<bool>()),
        0..4_usize,
        prop::collection::vec((0..4_u8, any::<bool>()), 0..5),
        prop::collection::vec(0..4_usize, 0..3),
        prop::bool::weighted(0.1),
        prop::collection::vec(1..4000_i64, 1..5),
    );
    (first, then).prop_map(|((lifecycle, is_ours, managed, drains, mark), then)| {
        let (warning, spec, tasks, targets, gone, later) = then;
        Case { lifecycle, is_ours, managed, drains, mark, warning, spec, tasks, targets, gone, later }
    })
}

fn world(case: &Case) -> World {
    let mut world = World::new();
    world.spec(SPECS[case.spec]).terminating();
    world.member().lifecycle = LIFECYCLES[case.lifecycle].into();
    world.member().is_ours = case.is_ours;
    if case.managed {
        world.managed();
    }
    if case.drains {
        world.draining();
    }
    if let Some(mark) = case.mark {
        world.marked(WHYS[mark], at(-30));
    }
    world.facts.warning = case
        .warning
        .map(|spot| if spot { Warning::Spot { at: at(0) } } else { Warning::Rebalance { at: at(0) } });
    for (kind, stops) in &case.tasks {
        let group = ["service:shop", "service:blog", "family:job", "service:agent"][usize::from(*kind)];
        let task = world.task(group);
        if *stops {
            task.desired_status = "STOPPED".into();
        }
        if group == "service:agent" {
            world.service("agent", 4, 100, 200).scheduling = "DAEMON".into();
        }
    }
    for state in &case.targets {
        world.target(STATES[*state]);
    }
    if case.gone {
        world.gone();
    }
    world
}

/// By counting here, not by the planner's own code.
fn is_empty(world: &World) -> bool {
    let Fact::Known(instance) = &world.facts.instance else { return true };
    let tasks = world.facts.tasks.known().unwrap();
    let runs = tasks.iter().any(|it| it.last_status != "STOPPED" && it.group != "service:agent");
    let serves = world.facts.targets.known().unwrap().iter().any(|it| it.state != "unused");
    instance.status == "DRAINING" && !runs && !serves
}

proptest! {
    #[test]
    fn no_hook_is_completed_while_a_task_runs_or_a_target_is_left_unless_the_policy_let_go_with_a_record(
        case in cases()
    ) {
        let mut world = world(&case);
        let mut passed = 0;
        for later in &case.later {
            let plan = plan(&world.facts, &world.row, world.now);
            prop_assert_eq!(check(&plan, &world.facts, &world.row, world.now), [], "{:?} {:#?}", case, plan);
            if plan.steps.iter().any(|step| matches!(step, Step::Complete { .. })) && !is_empty(&world) {
                prop_assert!(case.spec != 2, "it is to be waited for");
                let cut: Vec<_> = plan.state.cut.iter().map(|it| &it.task).collect();
                for task in world.facts.tasks.known().unwrap() {
                    prop_assert!(task.group == "service:agent" || cut.contains(&&task.arn), "{:?}", plan);
                }
            }
            let drains = plan.steps.iter().position(|step| matches!(step, Step::Drain { .. }));
            if let Some(at) = drains {
                prop_assert!(plan.steps[..at].iter().any(|step| matches!(step, Step::Mark { .. })), "marked first");
            }
            world.pass();
            passed += later;
            world.after(passed);
        }
    }

    /// Law 5, of an instant: after its steps the same world has no step left.
    #[test]
    fn a_second_pass_of_the_same_instant_does_nothing(case in cases()) {
        let mut world = world(&case);
        // Draining, then what it makes of an empty one.
        world.pass().pass();
        prop_assert_eq!(world.steps(), Vec::<String>::new(), "{:?}", case);
    }
}
