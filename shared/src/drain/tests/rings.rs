//! Every sample event ends in an instance to look at, or in a reason for none.

use std::fmt::Write as _;
use std::{fs, path::Path};

use crate::drain::rings::{Rings, doorbells};
use crate::event;
use crate::id::Timestamp;

fn word(rings: &Rings) -> String {
    match rings {
        Rings::Ec2 { instance, warning } => match warning {
            Some(warning) => format!("{instance} {warning:?}"),
            None => instance.to_string(),
        },
        Rings::Instance(key) => key.to_string(),
        Rings::ContainerInstance { cluster, instance } => format!("{} of {cluster}", instance.as_str()),
        Rings::Every => "every instance that leaves".to_owned(),
        Rings::Nothing(silence) => format!("- {silence}"),
    }
}

#[test]
fn every_sample_rings_an_instance_or_says_why_none() {
    let events = Path::new(env!("CARGO_MANIFEST_DIR")).join("../events");
    let mut names: Vec<_> = fs::read_dir(events).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut all = String::new();
    for path in names.iter().filter(|path| path.extension().is_some_and(|it| it == "json")) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if !["asg-", "ec2-", "ecs-task", "ecs-container", "cloudwatch-alarm-state-change-single"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
        {
            continue;
        }
        let incoming = event::read(&fs::read(path).unwrap()).unwrap();
        writeln!(all, "{name}: {}", word(&doorbells(&incoming, Timestamp::UNIX_EPOCH))).unwrap();
    }
    insta::assert_snapshot!(all, @"
    asg-launch-successful: - it is for the scale function
    asg-launch-unsuccessful: - it is for the scale function
    asg-lifecycle-launch-into-warm-pool: - i-1234567890abcdef0 comes into my-asg; only what leaves is drained
    asg-lifecycle-launch: - i-1234567890abcdef0 comes into my-asg; only what leaves is drained
    asg-lifecycle-terminate-into-warm-pool: i-1234567890abcdef0
    asg-lifecycle-terminate-replace-root-volume-RECONSTRUCTED: i-1234567890abcdef0
    asg-lifecycle-terminate-without-destination: i-1234567890abcdef0
    asg-lifecycle-terminate: i-1234567890abcdef0
    asg-terminate-successful: i-1234567890abcdef0
    asg-terminate-unsuccessful: i-1234567890abcdef0
    cloudwatch-alarm-state-change-single: - it is for the scale function
    ec2-instance-rebalance-recommendation: i-1234567890abcdef0 Rebalance { at: 2026-01-13T00:12:38Z }
    ec2-instance-state-change: - it says nothing of an instance that leaves
    ec2-spot-interruption-warning: i-1234567890abcdef0 Spot { at: 2026-01-13T00:12:38Z }
    ecs-container-instance-state-change: - an instance that is ACTIVE leaves nothing behind
    ecs-task-state-change-before-rollout-stopped-RECONSTRUCTED: arn:aws:ecs:us-east-1:123456789012:container-instance/main/d1d84798400f49f3b21cb61610c1e000 of main
    ecs-task-state-change-ec2-running: - a task that goes on, or that no instance of the cluster had, empties none
    ecs-task-state-change-failed-to-start-RECONSTRUCTED: arn:aws:ecs:us-east-1:123456789012:container-instance/main/d1d84798400f49f3b21cb61610c1e000 of main
    ecs-task-state-change-stopped-RECONSTRUCTED: arn:aws:ecs:us-east-1:123456789012:container-instance/main/d1d84798400f49f3b21cb61610c1e000 of main
    ");
}
