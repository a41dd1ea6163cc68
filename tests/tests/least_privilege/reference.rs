//! AWS's service authorization reference, as far as the roles' actions go. `scripts/iam-reference` writes it.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde_json::Value;

/// What an action may be confined by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Action {
    pub(crate) keys: Vec<String>,
    /// By the resource's kind.
    pub(crate) resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Clone)]
pub(crate) struct Resource {
    /// `arn:${Partition}:ecs:${Region}:${Account}:service/${ClusterName}/${ServiceName}`
    pub(crate) arn: String,
    pub(crate) keys: Vec<String>,
    pub(crate) required: bool,
}

/// What AWS says about an action.
pub(crate) fn reference(action: &str) -> Action {
    static READ: OnceLock<BTreeMap<String, Action>> = OnceLock::new();
    let all = READ.get_or_init(read);
    all.get(action).cloned().unwrap_or_else(|| panic!("no reference for {action}: run scripts/iam-reference"))
}

fn read() -> BTreeMap<String, Action> {
    let text: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let strings = |value: &Value| {
        value.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let resource = |it: &Value| Resource {
        arn: it["arn"].as_str().unwrap().to_owned(),
        keys: strings(&it["keys"]),
        required: it["required"].as_bool().unwrap(),
    };
    let action = |it: &Value| Action {
        keys: strings(&it["keys"]),
        resources: it["resources"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(kind, it)| (kind.clone(), resource(it)))
            .collect(),
    };
    text["actions"].as_object().unwrap().iter().map(|(name, it)| (name.clone(), action(it))).collect()
}

/// Whether a policy's resource can name one of this kind: the same service, and the same words up to where
/// the names begin.
pub(crate) fn may_be(resource: &str, kind: &str) -> bool {
    let parts = |arn: &str| arn.splitn(6, ':').map(str::to_owned).collect::<Vec<_>>();
    let (given, kind) = (parts(resource), parts(kind));
    let [.., kind_path] = kind.as_slice() else { return false };
    let [.., path] = given.as_slice() else { return false };
    let literal = kind_path.split("${").next().unwrap_or_default();
    given.get(2) == kind.get(2) && path.starts_with(literal)
}

/// Whether AWS sets a condition key for an action: for all requests, for it, or for its resources.
pub(crate) fn knows(action: &Action, key: &str) -> bool {
    let of_resources = action.resources.values().flat_map(|resource| &resource.keys);
    key == "aws:RequestedRegion" || action.keys.iter().chain(of_resources).any(|known| fits(known, key))
}

/// `aws:ResourceTag/${TagKey}` is any tag's.
fn fits(known: &str, key: &str) -> bool {
    match known.split_once("${") {
        Some((head, _)) => key.len() > head.len() && key.starts_with(head),
        None => known.eq_ignore_ascii_case(key),
    }
}

#[test]
fn a_resource_is_of_a_kind_by_its_first_words() {
    let service = "arn:${Partition}:ecs:${Region}:${Account}:service/${ClusterName}/${ServiceName}";
    assert!(may_be("arn:*:ecs:*:*:service/<Cluster>/*", service));
    assert!(!may_be("arn:*:ecs:*:*:service-deployment/<Cluster>/*", service));
    assert!(!may_be("arn:*:ecr:*:*:service/<Cluster>/*", service));
    assert!(fits("aws:ResourceTag/${TagKey}", "aws:ResourceTag/team") && !fits("ecs:cluster", "ecs:service"));
}
