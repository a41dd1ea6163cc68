//! Promotion by digest, order by tag: what the service that is followed lets through.

use std::collections::BTreeMap;

use super::gates::{begun, judged, left, said};
use super::world::{World, at, digest};
use crate::deploy::Triage;
use crate::deploy::promotion::circle;
use crate::facts::{Fact, FailureKind, Unreadable, Upstream, UpstreamStanding};
use crate::id::{ServiceKey, Timestamp};
use crate::ledger::{Order, Settled};

const PROMOTED: &str = "image: {repository: shop, policy: {semver: '*'}}\n\
                        after: {service: staging/shop, healthy_minutes: 10}";
const ORDERED: &str = "image: {repository: shop, policy: {semver: '*'}}\nafter: {service: main/db, by: tag}";

/// main/shop runs `a` (1.0.0), settled under this spec; the time is minute 60.
fn following(spec: &str) -> World {
    let mut world = World::specified(spec);
    world.now = at(2);
    let settled = world.plan().ledger.settled;
    assert!(settled.is_some(), "what runs is settled without leave");
    world.row.state.settled = settled;
    world.now = at(60);
    world
}

fn settled(digit: char, tag: &str, since: i64) -> Settled {
    Settled {
        digest: digest(digit),
        tag: Some(tag.into()),
        pushed_at: None,
        task_definition: "up:1".into(),
        spec: String::new(),
        policy: String::new(),
        repository: None,
        rules: Vec::new(),
        at: at(since),
    }
}

fn upstream(live: Option<Settled>) -> Upstream {
    Upstream {
        key: ServiceKey::new("staging", "shop"),
        settled: live,
        before: Vec::new(),
        rolling: None,
        given_up: BTreeMap::new(),
        standing: UpstreamStanding::Steady,
        circle: Vec::new(),
    }
}

fn with(mut world: World, upstream: Upstream) -> World {
    world.facts.upstream = Fact::Known(upstream);
    world
}

/// 1.1.0 was pushed, and this is what the other service is like.
fn pushed(upstream: Upstream) -> World {
    with(following(PROMOTED).image('b', "1.1.0", 30), upstream)
}

fn later(world: World, now: Timestamp) -> World {
    World { now, ..world }
}

#[test]
fn an_image_is_promoted_once_it_was_live_there_long_enough() {
    let soaks = || pushed(upstream(Some(settled('b', "1.1.0", 52))));
    assert_eq!(begun(&soaks()), None);
    insta::assert_snapshot!(said(&soaks()), @"
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, where this image is live since 2026-01-01T00:52:00Z, until 2026-01-01T01:02:00Z
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    ");
    assert_eq!(judged(&left(&soaks())), Triage::Quiet, "the clock is known");
    let over = |now| later(left(&soaks()), now);
    assert!(matches!(judged(&over(at(62))), Triage::Pass(_)));
    assert_eq!(begun(&over(at(62))).unwrap().digest, digest('b'));
}

#[test]
fn each_thing_in_the_way_is_told_with_the_next_step() {
    let live = || settled('a', "1.0.0", 0);
    let here = || upstream(Some(settled('b', "1.1.0", 0)));
    let why = "it crashed".to_owned();
    let all = [
        upstream(None),
        Upstream { standing: UpstreamStanding::Missing, ..upstream(None) },
        upstream(Some(live())),
        Upstream { rolling: Some(digest('b')), ..upstream(Some(live())) },
        Upstream { given_up: BTreeMap::from([(digest('b'), why)]), ..upstream(Some(live())) },
        Upstream { standing: UpstreamStanding::Unsteady("1 of 2 tasks run".into()), ..here() },
        Upstream {
            circle: ["main/shop", "staging/shop", "main/shop"].map(|key| key.parse().unwrap()).to_vec(),
            ..here()
        },
    ];
    let words: Vec<String> = all
        .into_iter()
        .map(|upstream| {
            let world = pushed(upstream);
            assert_eq!(begun(&world), None);
            assert_eq!(judged(&left(&world)), Triage::Quiet, "no pass a minute: {}", said(&world));
            said(&world)
        })
        .collect();
    insta::assert_snapshot!(words.join("\n"), @"
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, where no release is settled yet; if Windlass does not look after staging/shop, give it a spec or a tag
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, which does not exist; create it, or correct `after.service`
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, where aaaaaaaaaaaa (1.0.0) is live and this image is not
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, where this image is being rolled out
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    held: bbbbbbbbbbbb (1.1.0) follows staging/shop, which gave this image up (it crashed); push another image, or `windlass release` it there
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    waiting: bbbbbbbbbbbb (1.1.0) follows staging/shop, where this image is live and not well: 1 of 2 tasks run
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    refused: bbbbbbbbbbbb (1.1.0) follows staging/shop, and the specs follow one another in a circle: main/shop → staging/shop → main/shop; take `after` out of one of them
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    ");
}

#[test]
fn what_cannot_be_read_lets_nothing_through() {
    let mut world = pushed(upstream(None));
    world.facts.upstream = Fact::Unreadable(Unreadable {
        doing: "describing service staging/shop".into(),
        kind: FailureKind::Denied,
        detail: "ecs:DescribeServices".into(),
    });
    assert_eq!(begun(&world), None);
    world.facts.upstream = Fact::Absent;
    assert_eq!(begun(&world), None);
}

#[test]
fn an_image_that_failed_there_does_not_keep_the_one_before_from_being_promoted() {
    let good = settled('b', "1.1.0", 0);
    let bad = BTreeMap::from([(digest('c'), "it crashed".to_owned())]);
    let up = Upstream { given_up: bad, ..upstream(Some(good)) };
    let world = with(following(PROMOTED).image('b', "1.1.0", 30).image('c', "1.2.0", 40), up);
    assert_eq!(begun(&world).unwrap().digest, digest('b'));
    insta::assert_snapshot!(said(&world), @"held: cccccccccccc (1.2.0) follows staging/shop, which gave this image up (it crashed); push another image, or `windlass release` it there");
}

#[test]
fn what_the_other_service_went_back_to_is_not_gone_back_to_here() {
    // It was rolled back to 0.9.0 by hand, and has run it for long.
    let world = following(PROMOTED).image('9', "0.9.0", -60).image('b', "1.1.0", 30);
    let world = with(world, upstream(Some(settled('9', "0.9.0", 0))));
    assert_eq!(begun(&world), None);
    assert_eq!(world.plan().steps, []);
}

#[test]
fn a_changed_spec_rolls_out_what_runs_while_the_next_image_waits() {
    let mut world = pushed(upstream(Some(settled('a', "1.0.0", 0))));
    world.row.state.settled.as_mut().unwrap().spec = "another".into();
    let text = format!("{PROMOTED}\ntask: {{container: web, cpu: 512, memory: 512}}");
    world.facts.parameter = Fact::Known(crate::facts::ParameterText {
        name: "/windlass/services/main/shop".into(),
        version: 2,
        text,
    });
    assert_eq!(begun(&world).unwrap().digest, digest('a'));
}

#[test]
fn a_first_release_waits_too() {
    let spec = format!("{PROMOTED}\ntask: {{cpu: 256, memory: 512}}");
    let empty = |live| with(World::empty(&spec), upstream(live));
    assert_eq!(begun(&empty(None)), None);
    assert_eq!(begun(&empty(Some(settled('a', "1.0.0", 0)))).unwrap().digest, digest('a'));
}

#[test]
fn a_bypass_does_not_pass_it() {
    let mut world = pushed(upstream(Some(settled('a', "1.0.0", 0))));
    world.row.orders.bypass = Some(Order { by: "bob".into(), reason: "the fix".into(), at: at(58) });
    assert_eq!(begun(&world), None);
}

#[test]
fn a_release_waits_for_the_same_tag_of_another_image() {
    let tagged = |up| with(following(ORDERED).image('b', "1.1.0", 30), up);
    let before = tagged(upstream(Some(settled('d', "1.0.0", 0))));
    assert_eq!(begun(&before), None);
    insta::assert_snapshot!(said(&before), @"
    waiting: bbbbbbbbbbbb (1.1.0) follows main/db, where dddddddddddd (1.0.0) is live and the release 1.1.0 is not
    quiet: v1.0.0 (aaaaaaaaaaaa) is live
    ");
    assert!(matches!(
        judged(&with(left(&before), upstream(Some(settled('e', "1.1.0", 59))))),
        Triage::Pass(_)
    ));
    assert!(begun(&tagged(upstream(Some(settled('e', "1.1.0", 59))))).is_some());
    let further = || Upstream {
        before: vec![settled('e', "1.1.0", 40), settled('d', "1.0.0", 0)],
        ..upstream(Some(settled('f', "1.2.0", 59)))
    };
    assert!(begun(&tagged(further())).is_some(), "it is further already");
    let left_by_hand = BTreeMap::from([(digest('e'), "rolled back by hand".to_owned())]);
    let back = Upstream { given_up: left_by_hand, settled: Some(settled('d', "1.0.0", 59)), ..further() };
    assert_eq!(begun(&tagged(back)), None);
}

#[test]
fn an_image_deployed_by_hand_is_live_since_it_was_found() {
    let mut world = World::tracked("shop:latest").image('b', "v2", 50);
    let by_hand = super::world::deployment(2, 8, crate::facts::RolloutState::Completed);
    world = world.deployments(vec![by_hand], 'b');
    let settled = world.plan().ledger.settled.unwrap();
    assert_eq!((settled.digest, settled.at), (digest('b'), at(60)));
}

#[test]
fn a_circle_is_found_wherever_it_begins() {
    let key = |name: &str| ServiceKey::new("main", name);
    let specs = BTreeMap::from([("a", "b"), ("b", "c"), ("c", "b"), ("d", "e"), ("f", "f")]);
    let path = |first: &str| {
        let follows = |of: &ServiceKey| specs.get(of.service.as_str()).map(|next| key(next));
        circle(&key(first), follows).iter().map(|key| key.service.to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(["a", "b", "c", "d", "e", "f"].map(path), ["b c b", "b c b", "c b c", "", "", "f f"]);
}
