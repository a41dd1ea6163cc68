//! What stands before a rollout in stages: the task before it, and the image's scan. Until they let it go no second
//! set of tasks comes up, and production stays where it is.

use std::time::Duration;

use windlass_shared::ledger::{Manner, Release};
use windlass_tests::{ImageDigest, Stage, key, labelled, version};

use super::super::pre_deploy::jobs;
use super::{STRATEGIES, at, production, shop, until_over};

/// Version 1 alone, with all requests, and ECS has been told of nothing.
fn assert_untouched(stage: &Stage, one: &ImageDigest, updates: usize) {
    stage.assert_live("shop", one);
    assert_eq!(stage.count("ecs:UpdateService"), updates, "{:?}", at(stage));
    assert_eq!(production(stage).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_migration_runs_before_the_second_set_of_tasks_and_its_failure_stops_it() {
    for (seed, (word, strategy)) in (1400..).zip(STRATEGIES) {
        let (mut stage, one) =
            shop(seed, &format!("strategy: {strategy}}}\npre_deploy: {{command: [./migrate, up]")).await;
        let updates = stage.count("ecs:UpdateService");
        let before = jobs(&stage, "main-shop").len();
        let bad = stage.push("shop", "latest", &labelled("2", &[("sim.job_code", "3")]));
        stage.run_for(Duration::from_mins(1)).await;
        stage.until_quiet().await;
        assert_untouched(&stage, &one, updates);
        let why = stage.row(&key("shop")).await.quarantine[&bad].reason.clone();
        assert!(why.contains("exited with 3"), "{word}: {why}");
        let three = stage.push("shop", "latest", &labelled("3", &[("sim.job_secs", "20")]));
        stage.run_for(Duration::from_secs(15)).await;
        assert_untouched(&stage, &one, updates);
        until_over(&mut stage).await;
        stage.assert_live("shop", &three);
        assert_eq!(jobs(&stage, "main-shop").len(), before + 2, "{word}: one for each image");
        let releases = stage.releases(&key("shop")).await;
        let staged = |it: &Release| it.digest == three && it.manner != Manner::Rolling;
        assert!(releases.iter().any(staged), "{word}: {releases:?}");
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_vulnerable_image_gets_no_second_set_of_tasks_and_a_mended_one_goes_live() {
    for (seed, (word, strategy)) in (1410..).zip(STRATEGIES) {
        let (mut stage, one) =
            shop(seed, &format!("strategy: {strategy}}}\nscan: {{max_severity: medium")).await;
        let updates = stage.count("ecs:UpdateService");
        let bad = stage.push("shop", "latest", &labelled("2", &[("sim.findings", "CRITICAL=1")]));
        stage.run_for(Duration::from_mins(3)).await;
        assert_untouched(&stage, &one, updates);
        let report = stage.report(&key("shop")).await;
        assert!(report.contains("found 1 critical"), "{word}: {report}");
        assert!(!stage.row(&key("shop")).await.quarantine.contains_key(&bad), "held, not quarantined");
        stage.sweeps_without_a_write().await;
        let three = stage.push("shop", "latest", &version("3"));
        stage.run_for(Duration::from_secs(20)).await;
        until_over(&mut stage).await;
        stage.assert_live("shop", &three);
        stage.traffic.assert_none_failed();
        stage.finish().await;
    }
}
