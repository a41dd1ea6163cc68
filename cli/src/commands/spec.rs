//! `windlass spec check` and `windlass spec schema`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use windlass_shared::spec::{
    ClusterSpec, Problem, ProblemKind, ServiceSpec, SpecError, cluster_json_schema, is_of_cluster,
    json_schema,
};

use super::files;
use crate::args::SpecOf;
use crate::exit::Exit;
use crate::failure::Result;
use crate::output::{BAD, GOOD, Output, STRONG, json, paint};

/// What came of one file.
#[derive(Debug, Serialize)]
struct Checked {
    file: String,
    ok: bool,
    /// `cluster/service`, as far as the file names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// The cluster, of a cluster's own file.
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Told>,
    /// The image that is wanted, in words.
    #[serde(skip)]
    image: String,
}

/// A problem, also in words.
#[derive(Debug, Serialize)]
struct Told {
    message: String,
    #[serde(flatten)]
    problem: Problem,
}

/// A file of either kind.
enum Parsed {
    Service(Box<ServiceSpec>),
    Cluster(ClusterSpec),
}

/// Checks each file.
pub(super) fn check(paths: &[PathBuf], output: Output) -> Result<Exit> {
    let checked = paths.iter().map(|path| check_file(path)).collect::<Result<Vec<_>>>()?;
    output.data(&serde_json::json!({ "files": checked }), || {
        checked.iter().map(text).collect::<Vec<_>>().join("\n")
    })?;
    Ok(if checked.iter().all(|file| file.ok) { Exit::Ok } else { Exit::No })
}

/// Prints the JSON Schema; it is JSON with or without `--json`.
pub(super) fn schema(of: SpecOf) -> Result<Exit> {
    json(&match of {
        SpecOf::Service => json_schema(),
        SpecOf::Cluster => cluster_json_schema(),
    })?;
    Ok(Exit::Ok)
}

fn check_file(path: &Path) -> Result<Checked> {
    let bytes = files::read(path)?;
    let parsed = match std::str::from_utf8(&bytes) {
        Ok(text) if is_of_cluster(text) => ClusterSpec::parse(text).map(Parsed::Cluster),
        Ok(text) => ServiceSpec::parse(text).map(|spec| Parsed::Service(Box::new(spec))),
        Err(error) => Err(not_text(&error)),
    };
    let blank = Checked {
        file: files::name(path),
        ok: false,
        service: None,
        cluster: None,
        problems: Vec::new(),
        image: String::new(),
    };
    Ok(match parsed {
        Ok(Parsed::Cluster(spec)) => Checked {
            ok: true,
            cluster: Some(
                spec.cluster.map_or_else(|| "a cluster that it does not name".into(), |it| it.to_string()),
            ),
            ..blank
        },
        Ok(Parsed::Service(spec)) => Checked {
            ok: true,
            service: named(&spec),
            image: format!("{}:{}", spec.image.repository, spec.image.policy),
            ..blank
        },
        Err(error) => Checked {
            problems: error
                .problems
                .into_iter()
                .map(|problem| Told { message: problem.to_string(), problem })
                .collect(),
            ..blank
        },
    })
}

fn not_text(error: &std::str::Utf8Error) -> SpecError {
    let kind = ProblemKind::Syntax { detail: format!("not UTF-8 ({error})") };
    SpecError { problems: vec![Problem { path: String::new(), line: None, kind }] }
}

fn named(spec: &ServiceSpec) -> Option<String> {
    let service = spec.service.as_ref()?;
    Some(spec.cluster.as_ref().map_or_else(|| service.to_string(), |cluster| format!("{cluster}/{service}")))
}

fn text(file: &Checked) -> String {
    if !file.ok {
        let mut lines = vec![format!("{}: {}", file.file, paint(BAD, "refused"))];
        let problems = file.problems.iter().flat_map(|problem| problem.message.lines());
        lines.extend(problems.map(|line| format!("  {line}")));
        return lines.join("\n");
    }
    if let Some(cluster) = &file.cluster {
        return format!("{}: {}, the spec of {}", file.file, paint(GOOD, "fine"), paint(STRONG, cluster));
    }
    let service = file
        .service
        .as_deref()
        .map_or_else(|| "a service that the file does not name".to_owned(), |service| paint(STRONG, service));
    format!("{}: {}, {service} runs {}", file.file, paint(GOOD, "fine"), file.image)
}
