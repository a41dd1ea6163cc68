//! ECS's call of the hook, typed.

use super::wanted::Baseline;
use crate::event::{LifecycleHook, LifecycleStage};
use crate::id::{ServiceDeploymentArn, ServiceKey, ServiceRevisionArn};

/// What a lifecycle hook's call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookCall {
    /// Traffic moves back. It is told, not asked: any other answer than yes would hold up the
    /// rollback that a check brought about.
    WayBack,
    /// A stage at which no request reaches the new revision yet, or none of ours is made.
    NothingYet,
    /// The ARN names no service in a cluster: nothing can be looked up.
    NoService,
    /// A verdict is wanted.
    Check(HookCheck),
}

/// A verdict that ECS waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookCheck {
    /// Which service.
    pub key: ServiceKey,
    /// Which rollout.
    pub deployment: ServiceDeploymentArn,
    /// The revision that is rolled out.
    pub revision: ServiceRevisionArn,
    /// Which requests reach it.
    pub reach: Reach,
    /// The id that the verdict carries.
    pub stage: String,
}

/// Which requests reach the new revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Those that carry the test route's header.
    Test,
    /// So many percent of production's, beside the old revision's.
    Share(u8),
    /// All.
    All,
}

impl Reach {
    /// Whose numbers the new revision's can be held against.
    pub fn baseline(self) -> Option<Baseline> {
        match self {
            Self::Test => None,
            Self::Share(_) => Some(Baseline::Beside),
            Self::All => Some(Baseline::Before),
        }
    }
}

impl HookCall {
    /// Reads a call.
    ///
    /// 1. A rollback has no stage of its own: it is told by the weights
    ///    ([`LifecycleHook::is_rollback`]).
    /// 2. The weights say how much of production the new revision carries; ECS gives them at
    ///    the stages that move it, and rounds them to whole percent.
    /// 3. `TEST_TRAFFIC_SHIFT` comes while the test rule is being moved: what it answers then
    ///    may be either revision's. `POST_TEST_TRAFFIC_SHIFT` is the stage to check at.
    pub fn read(hook: &LifecycleHook) -> Self {
        if hook.is_rollback() {
            return Self::WayBack;
        }
        let Some(reach) = reach(hook) else { return Self::NothingYet };
        let Some(key) = hook.service() else { return Self::NoService };
        Self::Check(HookCheck {
            key,
            deployment: hook.service_deployment.clone(),
            revision: hook.details.target_service_revision_arn.clone(),
            stage: stage_id(hook, reach),
            reach,
        })
    }
}

fn reach(hook: &LifecycleHook) -> Option<Reach> {
    match hook.stage {
        LifecycleStage::PostTestTrafficShift => Some(Reach::Test),
        LifecycleStage::PreProductionTrafficShift | LifecycleStage::ProductionTrafficShift => {
            let target = &hook.details.target_service_revision_arn;
            let weight = hook.details.production_traffic_weights.get(target).copied().unwrap_or_default();
            Some(of_weight(weight))
        }
        LifecycleStage::PostProductionTrafficShift | LifecycleStage::BakeTime => Some(Reach::All),
        LifecycleStage::ReconcileService
        | LifecycleStage::PreScaleUp
        | LifecycleStage::ScaleUp
        | LifecycleStage::PostScaleUp
        | LifecycleStage::TestTrafficShift
        | LifecycleStage::CleanUp
        | LifecycleStage::Other(_) => None,
    }
}

fn of_weight(percent: f64) -> Reach {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in 0..=100 here")]
    let whole = percent.clamp(0.0, 100.0).ceil() as u8;
    match whole {
        0 => Reach::Test,
        100 => Reach::All,
        share => Reach::Share(share),
    }
}

/// `<service deployment's id>/<stage>`; at a stage that comes again with each step of traffic,
/// `…@<percent>` too, so that one step's verdict is not taken for the next one's.
fn stage_id(hook: &LifecycleHook, reach: Reach) -> String {
    let arn = hook.service_deployment.as_str();
    let id = arn.rsplit('/').next().unwrap_or(arn);
    match reach {
        Reach::Share(percent) => format!("{id}/{}@{percent}", hook.stage),
        Reach::Test | Reach::All => format!("{id}/{}", hook.stage),
    }
}
