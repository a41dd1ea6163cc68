//! What a pass leaves in the row.

use super::world::World;
use crate::ledger::ClusterState;
use crate::scale::record::{after, is_news};

fn next(world: &World) -> (ClusterState, ClusterState) {
    let state = after(&world.plan(), &world.row, &[], world.now);
    (world.row.state.clone(), state)
}

/// The row's report is of the last pass with news, and says of when: a quiet one writes nothing.
#[test]
fn words_that_change_are_no_news_and_what_stands_and_is_new_is() {
    let mut world = World::new();
    world.service("shop", 2, 1024, 512).group("web", 1, 0, 10);
    world.task("shop", "i-web1");
    world.task("shop", "i-web1");
    let (before, state) = next(&world);
    assert!(is_news(&before, &state), "the shape of its instances is remembered");
    world.row.state = state;
    // One comes that nobody asked Windlass for: told, and no news.
    world.group_mut().desired = 2;
    world.now += std::time::Duration::from_mins(1);
    let (before, state) = next(&world);
    assert_eq!(state.last_report, ["web: 1 on their way"]);
    assert!(before.last_report != state.last_report && !is_news(&before, &state));
    world.group_mut().tags.clear();
    let (before, state) = next(&world);
    assert!(state.last_report[0].starts_with("web: left alone") && is_news(&before, &state));
}
