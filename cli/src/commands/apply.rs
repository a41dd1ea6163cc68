//! `windlass apply`: spec files to Parameter Store. Its change event rings the function.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use windlass_aws::observe;
use windlass_shared::id::ServiceKey;
use windlass_shared::spec::{ServiceSpec, parameter_name};

use super::files;
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

/// A spec that was read and checked.
struct Spec {
    file: String,
    key: ServiceKey,
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
    let there =
        observe::parameters(&account.clients.ssm).await.context("reading the specs that are there")?;
    let mut applied = Vec::new();
    for spec in specs {
        let before = there.iter().find(|(key, _)| *key == spec.key).map(|(_, parameter)| parameter);
        let (became, version) = match before {
            Some(before) if before.text == spec.text => (Became::Unchanged, before.version),
            before => {
                let became = if before.is_some() { Became::Updated } else { Became::Created };
                (became, write(account, &spec).await?)
            }
        };
        applied.push(Applied {
            file: spec.file,
            service: spec.key.to_string(),
            parameter: parameter_name(&spec.key),
            became,
            version,
        });
    }
    output.data(&serde_json::json!({ "applied": applied }), || {
        applied.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    Ok(Exit::Ok)
}

async fn write(account: &Account, spec: &Spec) -> Result<i64> {
    let put = observe::put_parameter(&account.clients.ssm, &spec.key, &spec.text).await;
    Ok(put.with_context(|| format!("writing {}", parameter_name(&spec.key)))?)
}

/// The outer error: it could not be read. The inner one: what is wrong with it.
fn read(account: &Account, path: &Path) -> Result<std::result::Result<Spec, String>> {
    let file = files::name(path);
    let text = String::from_utf8(files::read(path)?).with_context(|| format!("{file} is not UTF-8"))?;
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
    // With its comments where there is room, without them where there is not.
    let text = if text.len() <= LARGEST { text } else { spec.canonical() };
    if text.len() > LARGEST {
        return Err(anyhow!("{file} is {} bytes long even without comments", text.len()))
            .hint(format!("a parameter holds {LARGEST} bytes: shorten it"));
    }
    Ok(Ok(Spec { file, key: ServiceKey { cluster, service }, text }))
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
