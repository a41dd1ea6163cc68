//! A question → a verdict: what the spec wants looked at, the look, what it comes to.

use futures::join;
use windlass_aws::verify::Place;
use windlass_shared::deploy::plan::VerdictWanted;
use windlass_shared::facts::Fact;
use windlass_shared::id::{ListenerArn, ServiceKey, Timestamp};
use windlass_shared::ledger::{ServiceRow, Verdict};
use windlass_shared::spec::{self, ServiceSpec};
use windlass_shared::verify::{Baseline, HookCheck, Judged, Patience, judge, wanted};

use crate::app::App;

/// What a look at a rollout came to.
pub(crate) enum Seen {
    /// Nobody wants it verified.
    Nothing,
    /// Not even of which image the verdict would be.
    Unknown(String),
    /// This.
    Verdict(Verdict),
}

/// Looks at a rollout of ECS's.
pub(crate) async fn at_rollout(app: &App, check: &HookCheck, row: &ServiceRow) -> Seen {
    let (spec, rollout) = join!(
        spec(app, &check.key),
        app.verifier.rollout(check.deployment.as_str(), check.revision.as_str())
    );
    let spec = match spec {
        Ok(None) => return Seen::Nothing,
        Ok(Some(spec)) if wanted(&spec, check.reach.baseline()).is_nothing() => return Seen::Nothing,
        Ok(Some(spec)) => Ok(spec),
        Err(why) => Err(why),
    };
    let found =
        rollout.known().zip(spec.as_ref().ok()).and_then(|(it, spec)| it.digest(&spec.image)).cloned();
    // The row's own is of this rollout: another one would have had to end it first.
    let ours = || row.state.in_flight.as_ref().map(|in_flight| in_flight.digest.clone());
    let Some(digest) = found.or_else(ours) else {
        return Seen::Unknown("which image the revision carries could not be told".to_owned());
    };
    let since = judge::first_asked(row.verdict.as_ref(), &check.stage, app.clock.now());
    let patience = patience(spec.as_ref().ok(), since);
    let judged = match (&spec, &rollout) {
        (Err(why), _) => Judged::undecided("spec", why.as_str()),
        (Ok(spec), Fact::Known(rollout)) => {
            // A new group carries nothing before its rollout begins.
            let place = Place {
                listener: listener(app, spec),
                groups: rollout.groups.clone(),
                since: rollout.started_at,
            };
            let baseline = check.reach.baseline().filter(|_| !rollout.is_first);
            look(app, spec, baseline, place).await
        }
        (Ok(_), Fact::Unreadable(why)) => Judged::undecided("rollout", why.to_string()),
        (Ok(_), Fact::Absent | Fact::NotAsked) => {
            Judged::undecided("rollout", format!("ECS does not know {}", check.deployment))
        }
    };
    Seen::Verdict(judged.verdict(&check.stage, &digest, &patience, app.clock.now()))
}

/// Looks at a canary of Windlass's own.
pub(crate) async fn at_canary(app: &App, asked: &VerdictWanted, last: Option<&Verdict>) -> Verdict {
    let since = judge::first_asked(last, &asked.stage, app.clock.now());
    let spec = spec(app, &asked.key).await;
    let judged = match &spec {
        Err(why) => Judged::undecided("spec", why.as_str()),
        Ok(None) => Judged::nothing_wanted(),
        Ok(Some(spec)) => {
            let baseline = asked.target_groups.as_ref().map(|_| Baseline::Beside);
            let groups = asked.target_groups.clone();
            let place = Place { listener: listener(app, spec), groups, since: asked.since };
            look(app, spec, baseline, place).await
        }
    };
    let patience = patience(spec.as_ref().ok().and_then(Option::as_ref), since);
    judged.verdict(&asked.stage, &asked.digest, &patience, app.clock.now())
}

async fn look(app: &App, spec: &ServiceSpec, baseline: Option<Baseline>, place: Place) -> Judged {
    let Some(verify) = &spec.verify else { return Judged::nothing_wanted() };
    let wanted = wanted(spec, baseline);
    // Boxed: SDK futures are large, and many go side by side in this one.
    let observed = Box::pin(app.verifier.observe(&wanted, &place)).await;
    judge::judge(verify, &wanted, &observed)
}

fn listener(app: &App, spec: &ServiceSpec) -> Option<ListenerArn> {
    let own = spec.route.as_ref().and_then(|route| route.listener.clone());
    own.or_else(|| app.stack.settings.listener.clone())
}

fn patience(spec: Option<&ServiceSpec>, since: Timestamp) -> Patience {
    Patience::of(spec.and_then(|spec| spec.verify.as_ref()), since)
}

/// The spec's parameter: tags and labels ask for no verification. One that was taken away
/// asks for none any more.
async fn spec(app: &App, key: &ServiceKey) -> Result<Option<ServiceSpec>, String> {
    let parameter = app.verifier.spec(key).await;
    let wanted = spec::resolve(key, &parameter, &Fact::NotAsked, None).map_err(|why| why.to_string())?;
    Ok(wanted.map(|wanted| wanted.spec))
}
