//! Auto Scaling and spot.

use super::*;

fn fate(json: &Value) -> (InstanceFate, bool) {
    let Event::AutoScalingLifecycle(action) = event(json) else { panic!("a lifecycle action") };
    (action.fate(), action.is_termination())
}

#[test]
fn a_terminate_into_the_warm_pool_is_no_termination() {
    let into_pool = fate(&sample("asg-lifecycle-terminate-into-warm-pool"));
    assert_eq!(into_pool, (InstanceFate::ReturnsToWarmPool, false));
    assert_eq!(fate(&sample("asg-lifecycle-terminate")), (InstanceFate::Terminates, true));
}

#[test]
fn a_terminate_that_says_no_destination_is_a_termination() {
    let older = fate(&sample("asg-lifecycle-terminate-without-destination"));
    assert_eq!(older, (InstanceFate::Terminates, true));
}

#[test]
fn a_replaced_root_volume_is_no_termination() {
    let replaced = fate(&sample("asg-lifecycle-terminate-replace-root-volume-RECONSTRUCTED"));
    assert_eq!(replaced, (InstanceFate::ReplacesRootVolume, false));
}

#[test]
fn a_launch_into_the_warm_pool_enters_no_service() {
    let warmed = fate(&sample("asg-lifecycle-launch-into-warm-pool"));
    assert_eq!(warmed, (InstanceFate::EntersWarmPool, false));
}

#[test]
fn a_spot_warnings_arn_is_odd_and_its_detail_counts() {
    let Event::SpotWarning(warning) = event(&sample("ec2-spot-interruption-warning")) else {
        panic!("a warning")
    };
    assert_eq!(warning.instance_id.as_str(), "i-1234567890abcdef0");
}
