//! A pass under a lease, whatever it is over: ring → lease → rounds → release.
//!
//! The rounds go on where somebody rang meanwhile, or where a step found the world changed since it was
//! looked at; a bounded number of times, and never past the function's deadline. What is left then, the
//! timer's next sweep takes up.

use std::future::Future;

use jiff::SignedDuration;
use windlass_shared::id::Timestamp;

use crate::Clock;
use crate::ledger::{Lease, Ledger, LedgerError, Quarantined, Released, RingResult, RowKey, StateWrite};

/// Rounds under one lease. Each ring during a round asks for another; what is rung without end is the
/// timer's after that.
const ROUNDS: u32 = 5;
/// A round takes well under a second; with less than this left none is begun.
const ROOM: SignedDuration = SignedDuration::from_secs(10);
/// A lease outlives the function's deadline by this much: whatever the function had under way has been
/// answered or cut by then.
const LEASE_MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// One invocation: whose leases these are, and until when they last.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// Lambda's request id.
    pub request_id: String,
    /// When Lambda ends it.
    pub deadline: Timestamp,
}

impl Invocation {
    /// The invocation whose deadline Lambda gave, in milliseconds since the epoch; `timeout` from now
    /// where it gave none. One that is over before anything began is none: the emulator of cargo-lambda
    /// says ten minutes after the epoch, and every pass would be out of time.
    pub fn new(request_id: &str, deadline_ms: u64, clock: &Clock, timeout: std::time::Duration) -> Self {
        let now = clock.now();
        let deadline = i64::try_from(deadline_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let timeout = SignedDuration::try_from(timeout).unwrap_or(LEASE_MARGIN);
        let otherwise = || now.saturating_add(timeout).unwrap_or(Timestamp::MAX);
        let deadline = deadline.filter(|at| *at > now).unwrap_or_else(otherwise);
        Self { request_id: request_id.to_owned(), deadline }
    }

    /// Until when a lease that is taken now must last.
    pub fn lease_until(&self) -> Timestamp {
        self.deadline.saturating_add(LEASE_MARGIN).unwrap_or(Timestamp::MAX)
    }
}

/// What one round came to.
#[derive(Debug)]
pub struct Turn<S, E> {
    /// The row's state from now on.
    pub state: S,
    /// What is added to the row's quarantine; nothing where it has none.
    pub quarantine: Quarantined,
    /// Whether these are worth a write.
    pub is_news: bool,
    /// Whether the world is not as this round's plan saw it: another one.
    pub is_stale: bool,
    /// In words, for whoever called.
    pub end: E,
}

/// A pass over something that has a row.
pub trait Pass: Sync {
    /// What it is over.
    type Key: RowKey;
    /// How a round ends.
    type End: Send;
    /// What ends the pass without an end.
    type Error: From<LedgerError> + Send;

    /// One round: observe, plan, check, apply.
    fn round(
        &self,
        lease: &Lease<Self::Key>,
        row: &<Self::Key as RowKey>::Row,
    ) -> impl Future<Output = Result<TurnOf<Self>, Self::Error>> + Send;
}

/// What one round of a pass came to.
pub type TurnOf<P> = Turn<<<P as Pass>::Key as RowKey>::State, <P as Pass>::End>;

/// How a pass ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passed<E> {
    /// With its last round's end.
    Ended(E),
    /// Somebody else has the lease, and will see this ring.
    Busy,
    /// There was no time left; the sweep takes it up.
    OutOfTime,
}

/// Rings, and makes the pass where the lease is free.
pub async fn pass<P: Pass>(
    ledger: &Ledger,
    clock: &Clock,
    key: &P::Key,
    invocation: &Invocation,
    pass: &P,
) -> Result<Passed<P::End>, P::Error> {
    let holder = format!("{}/{key}", invocation.request_id);
    let ringing = ledger.ring_and_lease(key, clock.now(), invocation.lease_until(), &holder).await?;
    let (lease, row) = match ringing {
        RingResult::Leased { lease, row } => (lease, row),
        RingResult::Busy { .. } => return Ok(Passed::Busy),
    };
    // Boxed: passes side by side would each carry the rounds on their caller's stack.
    let end = Box::pin(rounds(ledger, clock, invocation, &lease, row, pass)).await;
    if end.is_err() {
        // Nobody has to wait for the lease to run out. If this fails too, they do.
        let _: Result<(), LedgerError> = ledger.let_go(&lease).await;
    }
    end
}

async fn rounds<P: Pass>(
    ledger: &Ledger,
    clock: &Clock,
    invocation: &Invocation,
    lease: &Lease<P::Key>,
    mut row: <P::Key as RowKey>::Row,
    pass: &P,
) -> Result<Passed<P::End>, P::Error> {
    for round in 1..=ROUNDS {
        if clock.now().duration_until(invocation.deadline) < ROOM {
            break;
        }
        let turn = pass.round(lease, &row).await?;
        let news = turn.is_news.then_some(StateWrite { state: &turn.state, quarantine: &turn.quarantine });
        let goes_round = turn.is_stale && round < ROUNDS;
        if !goes_round {
            match ledger.release(lease, P::Key::rung(&row), news).await? {
                Released::Released => return Ok(Passed::Ended(turn.end)),
                Released::RungAgain { rung } => P::Key::ring(&mut row, rung),
            }
        }
        // Either way nothing was written yet, and the next round only writes what is new to it.
        if let Some(news) = news {
            ledger.write_state(lease, news).await?;
        }
        P::Key::add(&mut row, turn.state, turn.quarantine);
    }
    ledger.let_go(lease).await?;
    Ok(Passed::OutOfTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_is_over_before_anything_began_is_none() {
        let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let clock = Clock::given(move || noon);
        let of = |deadline_ms| {
            Invocation::new("r", deadline_ms, &clock, std::time::Duration::from_mins(1)).deadline.to_string()
        };
        assert_eq!(of(600_000), "2026-11-23T12:01:00Z");
        assert_eq!(of(u64::MAX), "2026-11-23T12:01:00Z");
        let given = noon.as_millisecond() + 30_000;
        assert_eq!(of(given.unsigned_abs()), "2026-11-23T12:00:30Z");
    }
}
