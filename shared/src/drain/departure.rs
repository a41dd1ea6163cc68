//! Why an instance leaves. The strongest reason counts: one that is emptied to save money and that EC2 then
//! takes back leaves for EC2's reason, so that nobody takes it back.

use jiff::SignedDuration;

use super::facts::{InstanceFacts, TerminateHook, Warning};
use crate::facts::Fact;
use crate::id::{AutoScalingGroupName, Timestamp};
use crate::ledger::{Departure, HowItEnded, InstanceState, MARK, WhyItLeaves, read_mark};
use crate::scale::facts::LiveInstance;
use crate::spec::capacity::{DrainSpec, OnRebalance};

/// From EC2's warning to the instance's end.
const SPOT_NOTICE: SignedDuration = SignedDuration::from_mins(2);

/// How hard a reason is: a harder one takes a softer one's place, never the other way round.
pub(super) fn force(why: WhyItLeaves) -> u8 {
    match why {
        WhyItLeaves::Consolidation => 0,
        WhyItLeaves::Rebalance => 1,
        WhyItLeaves::Rotation | WhyItLeaves::Person => 2,
        WhyItLeaves::Hook => 3,
        WhyItLeaves::Spot => 4,
    }
}

/// What our mark on the instance says.
pub(super) fn marked(instance: &LiveInstance) -> Option<(WhyItLeaves, Timestamp)> {
    read_mark(instance.attributes.get(MARK)?.as_deref()?)
}

/// The hooks of ours that Auto Scaling waits for, of a group of ours.
///
/// On the way to the warm pool Auto Scaling tells the same state of one that comes as of one that leaves
/// service: only what is registered leaves, for agents in the pool do not register.
pub(super) fn waiting(facts: &InstanceFacts) -> Option<(&AutoScalingGroupName, &[TerminateHook])> {
    let member = facts.group.known()?;
    if member.lifecycle == "Warmed:Pending:Wait" && facts.instance.known().is_none() {
        return None;
    }
    (member.is_ours && is_waiting(&member.lifecycle) && !member.hooks.is_empty())
        .then_some((&member.group, member.hooks.as_slice()))
}

/// States in which Auto Scaling waits for hooks on the way out: to its end, to the warm pool, to a new root
/// volume.
pub(super) fn is_waiting(lifecycle: &str) -> bool {
    matches!(
        lifecycle,
        "Terminating:Wait" | "Warmed:Terminating:Wait" | "Warmed:Pending:Wait" | "ReplacingRootVolume:Wait"
    )
}

/// Whether Auto Scaling was told to go on a while ago. One that is asked after again later has been back
/// meanwhile, unseen.
pub(super) fn is_let_go(state: &InstanceState, now: Timestamp) -> bool {
    const WHILE: SignedDuration = SignedDuration::from_hours(1);
    state.let_go_at.is_some_and(|at| at.duration_until(now) < WHILE)
}

/// What the row remembers, where it has not ended.
pub(super) fn open(state: &InstanceState) -> Option<&Departure> {
    state.leaves.as_ref().filter(|_| state.ended.is_none())
}

/// Why it leaves, by everything that says so.
pub(super) fn departure(
    facts: &InstanceFacts,
    state: &InstanceState,
    drain: &DrainSpec,
    now: Timestamp,
) -> Option<Departure> {
    // One that was let go still has its mark until EC2 has ended it.
    let was_let_go = state.ended.as_ref().is_some_and(|end| end.how != HowItEnded::TakenBack);
    let mark = facts.instance.known().and_then(marked).filter(|_| !was_let_go);
    let hook = (waiting(facts).is_some() && !is_let_go(state, now)).then_some((WhyItLeaves::Hook, now));
    let warned = match facts.warning {
        Some(Warning::Spot { at }) => Some((WhyItLeaves::Spot, at)),
        Some(Warning::Rebalance { at }) if drain.rebalance == OnRebalance::Drain => {
            Some((WhyItLeaves::Rebalance, at))
        }
        Some(Warning::Rebalance { .. }) | None => None,
    };
    let remembered = open(state).map(|it| (it.why, it.since));
    // Of two of the same force the one that is remembered keeps its time.
    let all = [remembered, mark, hook, warned].into_iter().flatten();
    let hardest = all.reduce(|best, next| if force(next.0) > force(best.0) { next } else { best });
    hardest.map(|(why, since)| {
        let taken_at = (why == WhyItLeaves::Spot).then(|| since.saturating_add(SPOT_NOTICE).unwrap_or(since));
        Departure { why, since, taken_at }
    })
}

/// Whether it serves again in its group after having left it: back from the warm pool, with its new root
/// volume, or a termination that was called off.
pub(super) fn is_back(facts: &InstanceFacts, since: Timestamp, now: Timestamp) -> bool {
    /// What an eventually consistent API may still tell of before.
    const STALE: SignedDuration = SignedDuration::from_secs(60);
    let in_service = facts.group.known().is_some_and(|member| member.lifecycle == "InService");
    in_service && since.duration_until(now) > STALE
}

/// Whether ECS's managed draining sees it out.
pub(super) fn managed(facts: &InstanceFacts) -> Option<&str> {
    match &facts.provider {
        Fact::Known(provider) if provider.managed_draining => Some(&provider.name),
        _ => None,
    }
}
