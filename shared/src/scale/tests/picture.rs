//! What people see of a cluster.

use super::world::{World, at, settings};
use crate::ledger::WhyItLeaves;
use crate::scale::picture::{Picture, Quantity, TasksOn, Waiting, picture};

fn drawn(world: &World) -> Picture {
    picture(&world.facts, &world.plan(), &world.row, &settings(), world.now).unwrap()
}

#[test]
fn an_instance_shows_what_is_on_it_and_what_it_costs() {
    let mut world = World::new();
    world.service("shop", 2, 512, 500).group("nodes", 2, 2, 4);
    world.task("shop", "i-nodes1");
    world.task("shop", "i-nodes1");
    let picture = drawn(&world);
    let one = &picture.instances[0];
    assert_eq!(
        (one.cpu, one.memory),
        (Quantity { used: 1024, total: 2048 }, Quantity { used: 1000, total: 4000 })
    );
    let on = TasksOn { of: "shop".into(), tasks: 2, leaving: 0, cpu: 1024, memory: 1000, is_daemon: false };
    assert_eq!(one.tasks, [on]);
    assert_eq!((picture.cents_a_month, picture.unpriced), (14_600, 0), "two of 0.1 dollars an hour");
    assert_eq!(picture.waiting, []);
}

#[test]
fn what_waits_and_what_moves_are_told_apart() {
    let mut world = World::new();
    world.service("shop", 2, 512, 500).group("nodes", 2, 2, 4);
    world.task("shop", "i-nodes1");
    world.leaves("i-nodes1", WhyItLeaves::Person, at(0));
    let picture = drawn(&world);
    assert_eq!(picture.waiting, [Waiting { of: "shop".into(), tasks: 2, moving: 1 }]);
    assert_eq!(picture.instances[0].leaves, Some(WhyItLeaves::Person));
}
