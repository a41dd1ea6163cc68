//! Who may do what: whoever signs as a function has its role, whose policies decide as IAM decides
//! ([`crate::iam`]); everybody else may do everything. A test may deny more.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::call::{ApiError, Call, Caller, ServiceId};
use crate::iam::ask::Hides;
use crate::iam::{self, Ask, Decision, Policy, Usage, asks};
use crate::world::World;

/// Roles by the access key that their holders sign with, and denials.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    roles: BTreeMap<String, Role>,
    denied: Vec<Denial>,
    /// Which grants of which roles were used since the world began.
    pub usage: Usage,
}

/// A role that a function runs with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// The role's name.
    pub name: String,
    /// The session's name: the function's.
    pub session: String,
    /// Its policies; `None` allows everything.
    pub policy: Option<Arc<Policy>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Denial {
    access_key: Option<String>,
    action: String,
}

/// Why a question was answered with no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    ExplicitDeny,
    NothingAllows,
    /// The embedded AWS does not know what the operation asks for, and the role's policies care.
    NotKnown,
}

/// What a call that was let through leaves out.
pub(super) type Hidden = Option<Hides>;

impl Permissions {
    /// Whoever signs with `access_key` has this role; a service that takes a role by its ARN signs with that.
    pub fn assume(&mut self, access_key: &str, role: Role) {
        self.roles.insert(access_key.to_owned(), role);
    }

    /// Denies an action, `ecs:UpdateService` or `ecs:*`, to everybody.
    pub fn deny(&mut self, action: &str) {
        self.denied.push(Denial { access_key: None, action: action.to_owned() });
    }

    /// Denies an action to the holder of one access key.
    pub fn deny_caller(&mut self, access_key: &str, action: &str) {
        self.denied.push(Denial { access_key: Some(access_key.to_owned()), action: action.to_owned() });
    }

    /// Takes back every denial.
    pub fn clear_denials(&mut self) {
        self.denied.clear();
    }

    /// The ARN that IAM knows a caller by.
    pub fn arn(&self, account: &str, caller: &Caller) -> String {
        match self.roles.get(&caller.access_key) {
            Some(role) => {
                format!("arn:aws:sts::{account}:assumed-role/{}/{}", role.name, role.session)
            }
            None => format!("arn:aws:iam::{account}:user/{}", user(caller)),
        }
    }

    /// Whom another account's policy sees.
    pub(crate) fn caller(&self, account: &str, access_key: &str) -> iam::Caller {
        let role =
            self.roles.get(access_key).map(|role| format!("arn:aws:iam::{account}:role/{}", role.name));
        iam::Caller { account: account.to_owned(), role }
    }

    /// Whether the holder of `access_key` may; a yes is noted as the use of a grant.
    pub(crate) fn decide(&mut self, access_key: &str, ask: &Ask) -> Result<(), Refusal> {
        if self.is_denied(access_key, &ask.action) {
            return Err(Refusal::ExplicitDeny);
        }
        let Some(Role { name, policy: Some(policy), .. }) = self.roles.get(access_key) else { return Ok(()) };
        match policy.decide(ask) {
            Decision::Allowed(found) => {
                self.usage.note(name, policy, found);
                Ok(())
            }
            Decision::ExplicitDeny => Err(Refusal::ExplicitDeny),
            Decision::NothingAllows => Err(Refusal::NothingAllows),
        }
    }

    fn is_denied(&self, access_key: &str, action: &str) -> bool {
        self.denied.iter().any(|denial| {
            denial.access_key.as_ref().is_none_or(|key| *key == access_key) && matches(&denial.action, action)
        })
    }

    /// An operation of which nothing is known but its name: whoever has no role may, and a role that
    /// allows it everywhere without a condition.
    fn decide_by_name(&mut self, access_key: &str, action: &str) -> Result<(), Refusal> {
        let named = |role: &Role| role.policy.as_ref().is_some_and(|policy| policy.names(action));
        let named = self.roles.get(access_key).is_some_and(named);
        match self.decide(access_key, &Ask::new(action, "*")) {
            Err(Refusal::NothingAllows) if named => Err(Refusal::NotKnown),
            decided => decided,
        }
    }
}

fn user(caller: &Caller) -> &str {
    if caller.access_key.is_empty() { "anonymous" } else { &caller.access_key }
}

/// Whether a call is let through, and what of its reply is left out.
pub(super) fn check(world: &mut World, call: &Call) -> Result<Hidden, ApiError> {
    let key = &call.caller.access_key;
    let Some(asks) = asks::of(world, call) else {
        let action = asks::action(call);
        let decided = world.gate.permissions.decide_by_name(key, &action);
        return decided.map(|()| None).map_err(|why| denied(world, call, &Ask::new(action, "*"), why));
    };
    let mut hidden = None;
    for ask in asks {
        match world.gate.permissions.decide(key, &ask) {
            Ok(()) => {}
            Err(_) if ask.hides.is_some() => hidden = ask.hides,
            Err(why) => return Err(denied(world, call, &ask, why)),
        }
    }
    Ok(hidden)
}

/// Takes out of a reply what the caller may not see.
pub(super) fn hide(reply: &mut Value, what: Hides) {
    match what {
        Hides::CompositeAlarms => reply["CompositeAlarms"] = Value::Array(Vec::new()),
    }
}

fn denied(world: &World, call: &Call, ask: &Ask, why: Refusal) -> ApiError {
    let who = world.gate.permissions.arn(&world.config.account, &call.caller);
    let Ask { action, resource, .. } = ask;
    let why = match why {
        Refusal::ExplicitDeny => "with an explicit deny in an identity-based policy".to_owned(),
        Refusal::NothingAllows => format!("because no identity-based policy allows the {action} action"),
        Refusal::NotKnown => {
            return ApiError::server(
                "NotImplemented",
                format!(
                    "the embedded AWS does not know which resources and condition keys IAM looks at for \
                     {action}, and {who} has it for some only: teach it in sim/src/iam/asks"
                ),
            );
        }
    };
    let message = format!("User: {who} is not authorized to perform: {action} on resource: {resource} {why}");
    match call.service {
        ServiceId::ElasticLoadBalancing | ServiceId::AutoScaling | ServiceId::CloudWatch => {
            ApiError::client("AccessDenied", message).with_status(403)
        }
        ServiceId::Ec2 => ApiError::client(
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {message}"),
        )
        .with_status(403),
        ServiceId::Lambda => ApiError::client("AccessDeniedException", message).with_status(403),
        _ => ApiError::client("AccessDeniedException", message),
    }
}

/// `*` in an action's name; letter case does not matter.
fn matches(pattern: &str, action: &str) -> bool {
    crate::wildcard::matches(&pattern.to_ascii_lowercase(), &action.to_ascii_lowercase())
}
