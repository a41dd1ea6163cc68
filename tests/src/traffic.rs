//! Requests through the load balancer at a steady rate, counted by how they ended and by
//! which image answered.

use std::collections::BTreeMap;

use windlass_sim::elb::{self, Jar, RequestHead};
use windlass_sim::{Time, World, ecs};

/// All streams of requests.
#[derive(Debug, Default)]
pub struct Traffic {
    streams: Vec<Stream>,
}

/// Requests of one path.
#[derive(Debug)]
struct Stream {
    path: String,
    every_ms: u64,
    next: Time,
    /// Clients that keep cookies, in turn; without any, every request is a stranger's.
    clients: Vec<Jar>,
    counts: Counts,
}

/// How the requests of a path ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent.
    pub sent: u64,
    /// Answered by 5xx, or not at all.
    pub failed: u64,
    /// Answered 404 by the listener's default: no route.
    pub unrouted: u64,
    /// By image, which answered well.
    pub by_digest: BTreeMap<String, u64>,
    /// The first failure, for the test's message.
    pub first_failure: Option<String>,
}

impl Traffic {
    /// Sends `per_second` requests to `path` from now on.
    pub fn to(&mut self, now: Time, path: &str, per_second: u64) {
        self.of_clients(now, path, per_second, 0);
    }

    /// The same, from `clients` clients in turn that keep their cookies as browsers do.
    pub fn of_clients(&mut self, now: Time, path: &str, per_second: u64, clients: usize) {
        self.streams.push(Stream {
            path: path.to_owned(),
            every_ms: 1000 / per_second.max(1),
            next: now,
            clients: vec![Jar::default(); clients],
            counts: Counts::default(),
        });
    }

    /// How the requests of a path ended so far.
    pub fn counts(&self, path: &str) -> Counts {
        let stream = self.streams.iter().find(|stream| stream.path == path);
        stream.map(|stream| stream.counts.clone()).unwrap_or_default()
    }

    /// Asserts that requests were sent and none failed.
    pub fn assert_none_failed(&self) {
        for Stream { path, counts, .. } in &self.streams {
            assert!(counts.sent > 0, "no request was sent to {path}");
            assert_eq!(
                counts.failed, 0,
                "{} of {} requests to {path} failed, the first: {:?}",
                counts.failed, counts.sent, counts.first_failure
            );
        }
    }

    /// Sends what is due. The world's clock is not moved back: within a tick all requests
    /// meet the world as it is now.
    pub(crate) fn tick(&mut self, world: &mut World, listener: &str) {
        for stream in &mut self.streams {
            while stream.next <= world.now() {
                stream.next.0 += stream.every_ms;
                let head = RequestHead::get("shop.example.com", &stream.path);
                let turn = 1.min(stream.clients.len());
                stream.clients.rotate_left(turn);
                let client = stream.clients.first_mut();
                stream.counts.count(world, listener, &head, client);
            }
        }
    }
}

impl Counts {
    fn count(&mut self, world: &mut World, listener: &str, head: &RequestHead, client: Option<&mut Jar>) {
        self.sent += 1;
        let head = client.as_ref().map_or_else(|| head.clone(), |jar| jar.onto(head.clone()));
        let served = elb::request(world, listener, &head);
        if let (Some(jar), Some(served)) = (client, &served) {
            jar.keep(&served.decision);
        }
        let status = served.as_ref().map_or(0, |served| served.status);
        if status == 0 || status >= 500 {
            self.failed += 1;
            self.first_failure.get_or_insert_with(|| format!("{} {served:?}", world.now()));
            return;
        }
        let Some(task) = served.and_then(|served| served.task_arn) else {
            self.unrouted += 1;
            return;
        };
        let images = ecs::view::task(world, &task).map(|task| task.images).unwrap_or_default();
        if let Some((_, Some(digest))) = images.into_iter().next() {
            *self.by_digest.entry(digest).or_default() += 1;
        }
    }
}
