//! Repositories' policies, and calls that name another account's registry by `registryId`: the caller's own
//! policies were asked at the gate, the repository's is asked here.
//!
//! To whom it shows nothing AWS does not say either whether it is there: an unknown repository of another
//! account, and an unknown account, are denied like one without a policy.

use serde::Deserialize;
use serde_json::{Value, json};

use super::input::{invalid, read, repository, repository_not_found};
use super::store::Repository;
use crate::call::{ApiError, Call, Reply};
use crate::iam::{Ask, Caller, ResourcePolicy};
use crate::world::World;

/// A call, in the registry that it names.
pub(crate) fn serve(world: &mut World, call: &Call) -> Reply {
    let here = world.config.account.clone();
    let registry = call.input["registryId"].as_str().unwrap_or(&here).to_owned();
    if registry == here {
        return super::handle(world, &call.operation, &call.input);
    }
    let caller = world.gate.permissions.caller(&here, &call.caller.access_key);
    let action = format!("ecr:{}", call.operation);
    let who = world.gate.permissions.arn(&here, &call.caller);
    let served = world.in_account(&registry, |world| {
        for name in names(&call.input) {
            let ask = Ask::new(action.clone(), world.arn("ecr", &format!("repository/{name}")));
            let policy = world.ecr.repositories.get(name).and_then(compiled);
            if !policy.is_some_and(|policy| policy.allows(&caller, &ask)) {
                return Err(denied(&who, &ask.action, &ask.resource));
            }
        }
        super::handle(world, &call.operation, &call.input)
    });
    served.unwrap_or_else(|| {
        let name = names(&call.input).first().copied().unwrap_or("*");
        let arn = format!("arn:aws:ecr:{}:{registry}:repository/{name}", world.config.region);
        Err(denied(&who, &action, &arn))
    })
}

/// The repositories that a call is about; `*` where it is about the registry, which has no policy here.
fn names(input: &Value) -> Vec<&str> {
    let listed = input["repositoryNames"].as_array().into_iter().flatten();
    let names: Vec<&str> = listed.chain(input.get("repositoryName")).filter_map(Value::as_str).collect();
    if names.is_empty() { vec!["*"] } else { names }
}

fn denied(who: &str, action: &str, resource: &str) -> ApiError {
    ApiError::client(
        "AccessDeniedException",
        format!(
            "User: {who} is not authorized to perform: {action} on resource: {resource} because no resource-based \
             policy allows the {action} action"
        ),
    )
}

/// A repository's policy; one that does not read was refused when it was set.
fn compiled(repo: &Repository) -> Option<ResourcePolicy> {
    let document: Value = serde_json::from_str(repo.policy.as_ref()?).ok()?;
    ResourcePolicy::read(&document).ok()
}

/// Whether a repository lets an account pull.
pub(super) fn may_pull(repo: &Repository, account: &str) -> bool {
    let caller = Caller { account: account.to_owned(), role: None };
    let policy = compiled(repo);
    ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        .iter()
        .all(|action| policy.as_ref().is_some_and(|policy| policy.allows(&caller, &Ask::new(*action, "*"))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Set {
    repository_name: String,
    policy_text: String,
}

pub(super) fn set(world: &mut World, input: &Value) -> Reply {
    let Set { repository_name: name, policy_text: text } = read(input)?;
    let document = serde_json::from_str::<Value>(&text).ok();
    let policy = document.as_ref().map(ResourcePolicy::read);
    match policy {
        Some(Ok(_)) => {}
        why => {
            let why = why.and_then(Result::err).map(|why| format!(": {why:#}")).unwrap_or_default();
            return Err(invalid(format!(
                "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'{why}"
            )));
        }
    }
    let missing = repository_not_found(world, &name);
    let repo = world.ecr.repositories.get_mut(&name).ok_or(missing)?;
    repo.policy = Some(text);
    get(world, input)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Of {
    repository_name: String,
}

pub(super) fn get(world: &World, input: &Value) -> Reply {
    let Of { repository_name: name } = read(input)?;
    let account = &world.config.account;
    let policy = repository(world, &name)?.policy.as_ref().ok_or_else(|| {
        let message = format!(
            "Repository policy does not exist for the repository with name '{name}' in the registry with id '{account}'"
        );
        ApiError::client("RepositoryPolicyNotFoundException", message)
    })?;
    Ok(json!({ "registryId": account, "repositoryName": name, "policyText": policy }))
}

pub(super) fn delete(world: &mut World, input: &Value) -> Reply {
    let reply = get(world, input)?;
    let Of { repository_name: name } = read(input)?;
    if let Some(repo) = world.ecr.repositories.get_mut(&name) {
        repo.policy = None;
    }
    Ok(reply)
}
