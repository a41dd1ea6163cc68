//! Promotion and order: what the service that another one follows (`after`) lets through.
//!
//! # What is let through
//!
//! 1. By digest: the image that is settled there now. One that was settled earlier is not: it
//!    may have been replaced because it was bad.
//! 2. By tag: the release of that tag, settled there now or earlier. Order asks for no health
//!    of the older release, and the other service may be further already.
//! 3. Never what was given up there, by itself or by hand.
//! 4. Only while it is well there: it runs what is settled, on all its tasks, and nothing is
//!    rolled out.
//! 5. Once it was live for the time asked for. Its health *in between* is not known.
//!
//! It knows nothing of how the other service came to what it runs.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use super::report::AfterWhy;
use crate::facts::{Fact, ImageFact, LiveService, RolloutState, Upstream, UpstreamStanding};
use crate::id::{ImageDigest, ImageTag, ServiceKey, Timestamp};
use crate::image::{Candidate, Policy, select};
use crate::ledger::{Quarantine, ServiceRow, Settled};
use crate::spec::{After, FollowBy};

/// How many specs that follow one another are looked at in search of a circle.
pub const LONGEST_CHAIN: usize = 16;

/// The other service as its row and ECS tell of it.
pub fn upstream(row: &ServiceRow, service: &Fact<LiveService>, now: Timestamp) -> Fact<Upstream> {
    let settled = row.state.settled.as_ref();
    let standing = match service {
        Fact::Known(service) if service.status != "INACTIVE" => standing(service, settled),
        Fact::Known(_) | Fact::Absent => UpstreamStanding::Missing,
        Fact::Unreadable(why) => return Fact::Unreadable(why.clone()),
        Fact::NotAsked => return Fact::NotAsked,
    };
    let given_up = row.quarantine.iter().filter(|(_, why)| why.is_of_the_image(now));
    Fact::Known(Upstream {
        key: row.key.clone(),
        settled: settled.cloned(),
        before: row.state.marks.before.clone(),
        rolling: row.state.in_flight.as_ref().map(|begun| begun.digest.clone()),
        given_up: given_up.map(|(digest, why)| (digest.clone(), why.reason.clone())).collect(),
        standing,
        circle: Vec::new(),
    })
}

/// Whether ECS runs what is settled, all of it, and nothing else. A canary of Windlass's own is
/// another service, and changes nothing here.
fn standing(service: &LiveService, settled: Option<&Settled>) -> UpstreamStanding {
    let unsteady = |reason: String| UpstreamStanding::Unsteady(reason);
    let ends = |rollout| matches!(rollout, RolloutState::Completed | RolloutState::Unsaid);
    if service.status != "ACTIVE" {
        return unsteady(format!("the service is {}", service.status));
    }
    if settled.is_some_and(|settled| settled.task_definition != service.task_definition) {
        return unsteady(format!("{} is deployed, and not settled", service.task_definition.short()));
    }
    if service.deployments.iter().any(|it| it.status != "PRIMARY" || !ends(it.rollout)) {
        return unsteady("a deployment is under way".to_owned());
    }
    if service.desired == 0 {
        return unsteady("it has no tasks, which shows nothing".to_owned());
    }
    if service.running < service.desired {
        return unsteady(format!("{} of {} tasks run", service.running, service.desired));
    }
    UpstreamStanding::Steady
}

/// Whether the candidate may be rolled out, as far as the other service says.
pub fn lets_through(
    after: &After,
    upstream: &Upstream,
    candidate: &Candidate,
    now: Timestamp,
) -> Result<(), AfterWhy> {
    if !upstream.circle.is_empty() {
        return Err(AfterWhy::Circle { path: upstream.circle.clone() });
    }
    let release = release(after.by, upstream, &candidate.digest, &candidate.tag)?;
    if let UpstreamStanding::Unsteady(reason) = &upstream.standing {
        return Err(AfterWhy::Unsteady { reason: reason.clone() });
    }
    let soak = SignedDuration::from_mins(i64::from(after.healthy_minutes));
    let until = release.at.saturating_add(soak).unwrap_or(Timestamp::MAX);
    if now < until { Err(AfterWhy::Soaks { since: release.at, until }) } else { Ok(()) }
}

/// The release there that the candidate follows.
fn release<'u>(
    by: FollowBy,
    upstream: &'u Upstream,
    digest: &ImageDigest,
    tag: &ImageTag,
) -> Result<&'u Settled, AfterWhy> {
    let settled = upstream.settled.as_ref();
    let given_up = |digest: &ImageDigest| {
        upstream.given_up.get(digest).map(|reason| AfterWhy::GivenUp { reason: reason.clone() })
    };
    if upstream.standing == UpstreamStanding::Missing {
        return Err(AfterWhy::Missing);
    }
    let found = match by {
        FollowBy::Digest => settled.filter(|it| it.digest == *digest),
        FollowBy::Tag => settled.into_iter().chain(&upstream.before).find(|it| it.tag.as_ref() == Some(tag)),
    };
    match (found, settled) {
        (Some(found), _) => given_up(&found.digest).map_or(Ok(found), Err),
        (None, _) if by == FollowBy::Digest && upstream.given_up.contains_key(digest) => {
            Err(given_up(digest).unwrap_or(AfterWhy::NothingSettled))
        }
        (None, _) if by == FollowBy::Digest && upstream.rolling.as_ref() == Some(digest) => {
            Err(AfterWhy::OnItsWay)
        }
        (None, Some(live)) => Err(AfterWhy::Elsewhere { live: live.digest.clone(), tag: live.tag.clone() }),
        (None, None) => Err(AfterWhy::NothingSettled),
    }
}

/// What a choice that follows another service is made from.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// What is followed, and how.
    pub after: &'a After,
    /// Which images are wanted.
    pub policy: &'a Policy,
    /// The repository's.
    pub images: &'a [ImageFact],
    /// What is in quarantine here.
    pub held: &'a BTreeMap<ImageDigest, Quarantine>,
    /// The service that is followed.
    pub upstream: &'a Upstream,
    /// What runs here, or is on its way: it needs no leave.
    pub here: &'a BTreeSet<ImageDigest>,
    /// When.
    pub now: Timestamp,
}

impl Choice<'_> {
    /// The first in the policy's order that is let through, or is here. An image that failed
    /// over there must not keep the one before it from being promoted.
    pub fn first(&self) -> Option<Candidate> {
        let may: Vec<ImageFact> = self.images.iter().filter(|image| self.may(image)).cloned().collect();
        select(self.policy, &may, self.held).chosen
    }

    fn may(&self, image: &ImageFact) -> bool {
        let candidate = || candidate(self.policy, image);
        let leave = |it| lets_through(self.after, self.upstream, &it, self.now).is_ok();
        self.here.contains(&image.digest) || candidate().is_some_and(leave)
    }
}

/// The image as the policy sees it, held back or not.
pub fn candidate(policy: &Policy, image: &ImageFact) -> Option<Candidate> {
    select(policy, std::slice::from_ref(image), &BTreeMap::new()).chosen
}

/// Whether who follows `first` comes back to where it began: the path, `first` at both its
/// ends. `follows` says whom a service follows.
pub fn circle(first: &ServiceKey, follows: impl Fn(&ServiceKey) -> Option<ServiceKey>) -> Vec<ServiceKey> {
    let mut path = vec![first.clone()];
    while let Some(next) = path.last().and_then(&follows)
        && path.len() <= LONGEST_CHAIN
    {
        let seen = path.iter().position(|it| *it == next);
        path.push(next);
        if let Some(begins) = seen {
            return path.split_off(begins);
        }
    }
    Vec::new()
}
