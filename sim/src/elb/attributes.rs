//! What load balancers and target groups have in common: attributes, and being asked for by
//! ARN or by name.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::input::Pair;
use super::model::pairs;

/// Key and value, all of them text.
pub(super) type Attributes = BTreeMap<String, String>;

/// The attributes of a resource that nobody has modified.
pub(super) fn defaults<const N: usize>(all: [(&str, &str); N]) -> Attributes {
    all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Sets these and leaves the others.
pub(super) fn set(attributes: &mut Attributes, new: Vec<Pair>) {
    attributes.extend(new.into_iter().map(|pair| (pair.key, pair.value)));
}

/// The answer of `Describe…Attributes` and of `Modify…Attributes`.
pub(super) fn reply(attributes: &Attributes) -> Value {
    json!({ "Attributes": pairs(attributes) })
}

/// The first of the ARNs and names that nothing has.
pub(super) fn missing<'a, T>(
    all: &BTreeMap<String, T>,
    arns: &'a [String],
    names: &'a [String],
    name_of: impl Fn(&T) -> &str,
) -> Option<&'a String> {
    let by_arn = arns.iter().find(|arn| !all.contains_key(*arn));
    by_arn.or_else(|| names.iter().find(|name| !all.values().any(|it| name_of(it) == name.as_str())))
}
