//! Windlass's own canary as a person sees it: weights, tasks, questions, verdicts.

use std::collections::BTreeMap;
use std::time::Duration;

use windlass_shared::id::{Actor, ImageDigest, ServiceKey};
use windlass_shared::ledger::{Answer, Order};
use windlass_shared::names;
use windlass_sim::ecs::view;
use windlass_sim::elb;

use crate::CLUSTER;
use crate::function::timestamp;
use crate::stage::Stage;
use crate::traffic::Counts;

impl Stage {
    /// Where the service's open rules lead: `(main, canary)` weights, the canary's `None` where
    /// no rule names it.
    pub fn weights(&self, service: &str) -> (u32, Option<u32>) {
        let key = crate::key(service);
        let (own, second) = (names::target_group(&key), names::second_target_group(&key));
        let rules = self.door.with(|world| elb::rules(world, &self.listener));
        let rule = rules.iter().find(|rule| rule.groups.iter().any(|group| group.name == own));
        let rule = rule.unwrap_or_else(|| panic!("{service} has a rule: {rules:?}"));
        let of = |name: &str| rule.groups.iter().find(|group| group.name == name).map(|group| group.weight);
        (of(&own).unwrap_or_default(), of(&second))
    }

    /// The tasks that ECS is to run of the service: `(main, canary)`.
    pub fn desired(&self, service: &str) -> (u32, u32) {
        let of = |name: &str| {
            self.door.with(|world| view::service(world, CLUSTER, name)).map_or(0, |view| view.desired)
        };
        (of(service), of(&format!("{service}-canary")))
    }

    /// Lets time go on until the service's rule gives its canary this weight.
    pub async fn until_weight(&mut self, service: &str, canary: u32) {
        let end = self.now() + Duration::from_mins(40);
        while self.weights(service).1 != Some(canary) {
            assert!(
                self.now() < end,
                "no weight of {canary}: {:?}\n{}",
                self.weights(service),
                self.picture().await
            );
            self.run_for(Duration::from_millis(500)).await;
        }
    }

    /// The share of requests to `path` that this image answers in the next `time`.
    pub async fn share(&mut self, path: &str, digest: &ImageDigest, time: Duration) -> f64 {
        let before = self.traffic.counts(path);
        self.run_for(time).await;
        let after = self.traffic.counts(path);
        let answered = |counts: &Counts| counts.by_digest.get(digest.as_str()).copied().unwrap_or_default();
        let sent = after.sent - before.sent;
        assert!(sent > 0, "requests were sent to {path}");
        #[expect(clippy::cast_precision_loss, reason = "thousands of requests")]
        let share = (answered(&after) - answered(&before)) as f64 / sent as f64;
        share
    }

    /// `windlass approve` or `reject` of what the service asks.
    pub async fn answers(&mut self, key: &ServiceKey, approve: bool, reason: &str) {
        let question = self.row(key).await.state.marks.question;
        let question = question.unwrap_or_else(|| panic!("{key} asks something"));
        let order = Order { by: Actor::new("ann"), reason: reason.to_owned(), at: timestamp(self.now()) };
        let answer = Answer { question: question.id, approve, order };
        self.ledger.answer(key, &answer).await.unwrap_or_else(|error| panic!("{error}"));
        self.ring(key);
        self.run_for(Duration::from_secs(3)).await;
    }

    /// The image that answers one request with this header.
    pub fn test_request(&self, path: &str, header: &str, value: &str) -> Option<String> {
        self.door.with(|world| {
            let mut head = elb::RequestHead::get("shop.example.com", path);
            head.headers.push((header.to_owned(), value.to_owned()));
            let task = elb::request(world, &self.listener, &head)?.task_arn?;
            let images = windlass_sim::ecs::view::task(world, &task)?.images;
            images.into_iter().next().and_then(|(_, digest)| digest)
        })
    }

    /// How many healthy targets each group of the service has.
    pub fn healthy_targets(&self, service: &str) -> BTreeMap<String, usize> {
        let key = crate::key(service);
        let names = [names::target_group(&key), names::second_target_group(&key)];
        self.door.with(|world| {
            let healthy = |name: &String| {
                let arn = elb::group_arn(world, name)?.to_owned();
                let counts = elb::target_counts(world, &arn);
                Some((name.clone(), counts.get(&elb::TargetState::Healthy).copied().unwrap_or_default()))
            };
            names.iter().filter_map(healthy).collect()
        })
    }
}
