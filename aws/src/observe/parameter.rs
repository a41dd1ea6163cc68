//! Specs in Parameter Store.

use aws_sdk_ssm::types::ParameterType;
use windlass_shared::facts::{Fact, ParameterText};
use windlass_shared::id::ServiceKey;
use windlass_shared::spec;

use super::convert::{fact, text};
use crate::error::Failure;

type Ssm = aws_sdk_ssm::Client;

/// The path under which all specs are.
const PATH: &str = "/windlass/services";
/// GetParametersByPath's largest page.
const PAGE: i32 = 10;

/// The service's spec and its cluster's, as text, in one call.
pub(crate) async fn of_service(ssm: &Ssm, key: &ServiceKey) -> (Fact<ParameterText>, Fact<ParameterText>) {
    let names = [spec::parameter_name(key), spec::cluster_parameter_name(&key.cluster)];
    let sent = ssm.get_parameters().set_names(Some(names.to_vec())).send().await;
    // What is not there comes among the invalid names, with HTTP 200.
    let got = sent.map_err(|error| Failure::new("ssm:GetParameters", &error));
    let [service, cluster] = names.map(|name| {
        let found = got.as_ref().map_err(Failure::clone).map(|got| {
            got.parameters().iter().find(|it| it.name() == Some(name.as_str())).map(parameter_text)
        });
        fact(found, || format!("reading parameter {name}"))
    });
    (service, cluster)
}

/// One parameter, as text.
pub async fn parameter(ssm: &Ssm, name: &str) -> Fact<ParameterText> {
    let sent = ssm.get_parameters().names(name).send().await;
    let found = sent
        .map_err(|error| Failure::new("ssm:GetParameters", &error))
        .map(|got| got.parameters().first().map(parameter_text));
    fact(found, || format!("reading parameter {name}"))
}

/// Every spec, in pages of ten. The API gives no larger ones and no way to ask for two at once.
pub async fn parameters(ssm: &Ssm) -> Result<Vec<(ServiceKey, ParameterText)>, Failure> {
    let mut pages =
        ssm.get_parameters_by_path().path(PATH).recursive(true).into_paginator().page_size(PAGE).send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::new("ssm:GetParametersByPath", &error))?;
        found.extend(page.parameters().iter().map(parameter_text).filter_map(|parameter| {
            // What is under our path and names no service is not ours to judge here.
            Some((spec::key_from_parameter_name(&parameter.name)?, parameter))
        }));
    }
    Ok(found)
}

/// Writes a spec; the new version. The SDK may try again: the same text written
/// twice makes two versions of one meaning.
pub async fn put_parameter(ssm: &Ssm, name: &str, text: &str) -> Result<i64, Failure> {
    let sent =
        ssm.put_parameter().name(name).r#type(ParameterType::String).value(text).overwrite(true).send().await;
    sent.map(|put| put.version()).map_err(|error| Failure::new("ssm:PutParameter", &error))
}

/// Takes a parameter away. `false`: there was none.
pub async fn delete_parameter(ssm: &Ssm, name: &str) -> Result<bool, Failure> {
    let sent = ssm.delete_parameter().name(name).send().await;
    match sent.map_err(|error| Failure::new("ssm:DeleteParameter", &error)) {
        Ok(_) => Ok(true),
        Err(failure) if failure.is("ParameterNotFound") => Ok(false),
        Err(failure) => Err(failure),
    }
}

pub(crate) fn parameter_text(parameter: &aws_sdk_ssm::types::Parameter) -> ParameterText {
    ParameterText {
        name: text(parameter.name()),
        version: parameter.version(),
        text: text(parameter.value()),
    }
}
