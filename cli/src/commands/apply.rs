//! `windlass apply`: spec files to Parameter Store. Its change event rings the function.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use windlass_aws::observe;
use windlass_shared::facts::Fact;
use windlass_shared::id::ServiceKey;
use windlass_shared::spec::{
    After, ClusterSpec, RouteSpec, ServiceSpec, cluster_parameter_name, is_of_cluster, parameter_name,
};

use super::{circle, files, rival};
use crate::account::Account;
use crate::exit::Exit;
use crate::failure::{HintExt as _, Result};
use crate::output::{BAD, FAINT, GOOD, Output, STRONG, paint};

/// A standard parameter's largest value, in bytes.
const LARGEST: usize = 4096;

/// What became of a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Became {
    Created,
    Updated,
    Unchanged,
}

#[derive(Debug, Serialize)]
struct Applied {
    file: String,
    service: String,
    parameter: String,
    became: Became,
    version: i64,
}

/// A spec that was read and checked, of a service or of a cluster.
struct Spec {
    file: String,
    /// `cluster/service`, or the cluster alone.
    name: String,
    parameter: String,
    /// A service's route, where it has one.
    route: Option<(ServiceKey, RouteSpec)>,
    /// A service, and the one that it follows; `None` of a cluster.
    follows: Option<(ServiceKey, Option<ServiceKey>)>,
    text: String,
}

/// Writes each file's spec. All are checked before the first is written.
pub(super) async fn apply(account: &Account, paths: &[PathBuf], output: Output) -> Result<Exit> {
    let mut specs = Vec::new();
    for path in paths {
        match read(account, path)? {
            Ok(spec) => specs.push(spec),
            Err(refused) => return refuse(path, &refused, output),
        }
    }
    let routes: Vec<_> = specs.iter().filter_map(|spec| spec.route.clone()).collect();
    let services: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    for (spec, (key, route)) in specs.iter().filter_map(|spec| Some((spec, spec.route.as_ref()?))) {
        if let Some(refused) = rival::rival(account, key, route, &routes, &services).await? {
            return refuse(Path::new(&spec.file), &refused, output);
        }
    }
    let follows: Vec<_> = specs.iter().filter_map(|spec| spec.follows.clone()).collect();
    if let Some((service, refused)) = circle::circle(account, &follows).await? {
        let spec = specs.iter().find(|spec| spec.name == service.to_string());
        let file = spec.map_or_else(|| service.to_string(), |spec| spec.file.clone());
        return refuse(Path::new(&file), &refused, output);
    }
    let mut applied = Vec::new();
    for spec in specs {
        let (became, version) = put(account, &spec).await?;
        let Spec { file, name, parameter, route: _, follows: _, text: _ } = spec;
        applied.push(Applied { file, service: name, parameter, became, version });
    }
    output.data(&serde_json::json!({ "applied": applied }), || {
        applied.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Ok)
}

/// Writes the spec, unless it stands there word for word.
async fn put(account: &Account, spec: &Spec) -> Result<(Became, i64)> {
    let ssm = &account.clients.ssm;
    let became = match observe::parameter(ssm, &spec.parameter).await {
        Fact::Known(before) if before.text == spec.text => return Ok((Became::Unchanged, before.version)),
        Fact::Known(_) => Became::Updated,
        Fact::Absent | Fact::NotAsked => Became::Created,
        Fact::Unreadable(why) => return Err(anyhow!("{why}")).hint("nothing was written for it"),
    };
    let put = observe::put_parameter(ssm, &spec.parameter, &spec.text).await;
    Ok((became, put.with_context(|| format!("writing {}", spec.parameter))?))
}

/// The outer error: it could not be read. The inner one: what is wrong with it.
fn read(account: &Account, path: &Path) -> Result<std::result::Result<Spec, String>> {
    let file = files::name(path);
    let text = String::from_utf8(files::read(path)?).with_context(|| format!("{file} is not UTF-8"))?;
    if is_of_cluster(&text) {
        return cluster(account, file, text);
    }
    let spec = match ServiceSpec::parse(&text) {
        Ok(spec) => spec,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some(service) = spec.service.clone() else {
        return Ok(Err("names no service: add `service: NAME`".to_owned()));
    };
    let cluster = spec.cluster.clone().or_else(|| account.default_cluster().cloned());
    let Some(cluster) = cluster else {
        return Ok(Err("names no cluster: add `cluster: NAME`, or give --cluster".to_owned()));
    };
    if let Some(refused) = account.unknown_cluster(&cluster) {
        return Ok(Err(refused));
    }
    let key = ServiceKey { cluster, service };
    let text = fitting(&file, text, || spec.canonical())?;
    let (name, parameter) = (key.to_string(), parameter_name(&key));
    let follows = Some((key.clone(), spec.after.as_ref().and_then(After::upstream)));
    let route = spec.route.map(|route| (key, route));
    Ok(Ok(Spec { file, name, parameter, route, follows, text }))
}

/// A cluster's own file.
fn cluster(account: &Account, file: String, text: String) -> Result<std::result::Result<Spec, String>> {
    let spec = match ClusterSpec::parse(&text) {
        Ok(spec) => spec,
        Err(error) => return Ok(Err(error.to_string())),
    };
    let Some(name) = spec.cluster.clone().or_else(|| account.named_cluster().cloned()) else {
        return Ok(Err("names no cluster: add `cluster: NAME`, or give --cluster".to_owned()));
    };
    if let Some(refused) = account.unknown_cluster(&name) {
        return Ok(Err(refused));
    }
    let text = fitting(&file, text, || spec.canonical())?;
    let parameter = cluster_parameter_name(&name);
    Ok(Ok(Spec { file, name: name.to_string(), parameter, route: None, follows: None, text }))
}

/// With its comments where there is room, without them where there is not.
fn fitting(file: &str, text: String, canonical: impl FnOnce() -> String) -> Result<String> {
    let text = if text.len() <= LARGEST { text } else { canonical() };
    if text.len() > LARGEST {
        return Err(anyhow!("{file} is {} bytes long even without comments", text.len()))
            .hint(format!("a parameter holds {LARGEST} bytes: shorten it"));
    }
    Ok(text)
}

fn refuse(path: &Path, refused: &str, output: Output) -> Result<Exit> {
    let file = files::name(path);
    let value = serde_json::json!({ "applied": [], "refused": { "file": file, "reason": refused } });
    output.data(&value, || {
        let lines = refused.lines().map(|line| format!("  {line}"));
        let head = format!("{file}: {}, and nothing was written", paint(BAD, "refused"));
        std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::No)
}

fn text(applied: &Applied) -> String {
    let became = match applied.became {
        Became::Created => paint(GOOD, "created"),
        Became::Updated => paint(GOOD, "updated"),
        Became::Unchanged => paint(FAINT, "unchanged"),
    };
    let Applied { service, parameter, version, .. } = applied;
    format!("{}: {became} ({parameter}, version {version})", paint(STRONG, service))
}
