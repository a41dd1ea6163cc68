//! The stacks of Windlass in a Region, by the parameters that they make. It does not know which one is meant.

use windlass_shared::deploy::installed;
use windlass_shared::facts::ParameterText;

use crate::error::Failure;
use crate::observe::parameter_text;

/// Each stack's parameter, as text, in the order of their names.
///
/// # Errors
///
/// [`Failure`]: Parameter Store does not list them.
pub async fn stacks(ssm: &aws_sdk_ssm::Client) -> Result<Vec<ParameterText>, Failure> {
    let mut pages = ssm.get_parameters_by_path().path(installed::PATH).into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::new("ssm:GetParametersByPath", &error))?;
        found.extend(page.parameters().iter().map(parameter_text));
    }
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}
