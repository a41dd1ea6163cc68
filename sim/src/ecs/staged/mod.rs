//! Deployments that go through stages: BLUE_GREEN, CANARY and LINEAR, and rolling ones that
//! have hooks or bake.
//!
//! | room | holds |
//! |---|---|
//! | [`progress`] | what a deployment remembers of its way |
//! | [`stages`] | the way: what each stage does, and when it is over |
//! | [`sets`] | how many tasks of which revision are wanted meanwhile |
//! | [`traffic`] | the listener rules' weights |
//! | [`hooks`] [`answers`] | functions and pauses at the stages |
//! | [`retreat`] | the way back |
//!
//! What AWS leaves open was decided so:
//!
//! - a service's first deployment takes `targetGroupArn`, each later one the group that the
//!   serving revision is not in;
//! - its first deployment has all stages and hooks too;
//! - a newer deployment begins with `RECONCILE_SERVICE`: the source gets all traffic back,
//!   the superseded revision's tasks leave, then the newer one goes its way;
//! - each scale-up has 24 hours, after which it is rolled back. The circuit breaker does not
//!   watch these deployments: tasks that fail are started again, ever slower.

mod answers;
mod hooks;
mod progress;
mod retreat;
mod sets;
mod stages;
mod traffic;

pub(crate) use self::answers::{answered, continue_deployment};
pub(crate) use self::progress::{HookRun, Progress, current, weight};
pub(crate) use self::retreat::{Then, fail};
pub(crate) use self::sets::{Scope, Set, of as sets, wanted};
pub(crate) use self::stages::{advance, begin, next_look, source_of, supersede};
