//! Who else wants the requests of a spec that is about to be applied: another spec (of the
//! same files, else of those that are there), or a rule of the listener.

use anyhow::Context as _;
use windlass_aws::observe;
use windlass_shared::deploy::Note;
use windlass_shared::deploy::report::RouteNote;
use windlass_shared::deploy::route::{Rival, Routed, conflict, rival as rival_rule, wanted_rules};
use windlass_shared::facts::{Rule, RuleConditions};
use windlass_shared::id::ServiceKey;
use windlass_shared::spec::{RouteSpec, ServiceSpec};

use crate::account::Account;
use crate::failure::Result;
use crate::output::talk;

/// The refusal in words; `None`: nobody else does. `applied` are the services of these files,
/// `routes` those of them that have a route.
pub(super) async fn rival(
    account: &Account,
    key: &ServiceKey,
    route: &RouteSpec,
    routes: &[(ServiceKey, RouteSpec)],
    applied: &[&str],
) -> Result<Option<String>> {
    let is_applied = |key: &ServiceKey| applied.contains(&key.to_string().as_str());
    let there =
        observe::parameters(&account.clients.ssm).await.context("reading the specs that are there")?;
    let parsed: Vec<(ServiceKey, RouteSpec)> = there
        .into_iter()
        .filter(|(key, _)| !is_applied(key))
        .filter_map(|(key, parameter)| Some((key, ServiceSpec::parse(&parameter.text).ok()?.route?)))
        .collect();
    let others = routes.iter().chain(&parsed).map(|(key, route)| Routed { key, route });
    let stack = account.stack.settings.listener.as_ref();
    if let Some((with, conditions)) = conflict(Routed { key, route }, others, stack) {
        return Ok(Some(refusal(key, with, &conditions)));
    }
    let Some(listener) = route.listener.as_ref().or(stack) else { return Ok(None) };
    match observe::listener_rules(&account.clients.elb, listener).await {
        Ok(rules) => Ok(on_the_listener(key, route, &rules, &is_applied)),
        Err(failure) => {
            talk(format!("the listener's rules could not be read ({failure}); the function checks them"));
            Ok(None)
        }
    }
}

fn on_the_listener(
    key: &ServiceKey,
    route: &RouteSpec,
    rules: &[Rule],
    is_applied: &dyn Fn(&ServiceKey) -> bool,
) -> Option<String> {
    wanted_rules(route).iter().find_map(|wanted| match rival_rule(rules, &wanted.conditions, key)? {
        // A spec that is changed by the same files gives its requests up.
        Rival::Ours(_, with) if is_applied(&with) => None,
        Rival::Ours(_, with) => Some(refusal(key, &with, &wanted.conditions)),
        Rival::Stranger(rule) => {
            let (rule, priority) = (rule.arn.clone(), rule.priority.unwrap_or_default());
            Some(Note::RouteTaken { rule, priority }.to_string())
        }
    })
}

fn refusal(key: &ServiceKey, with: &ServiceKey, conditions: &RuleConditions) -> String {
    let conditions = conditions.to_string();
    RouteNote::Conflict { service: key.clone(), with: with.clone(), conditions }.to_string()
}
