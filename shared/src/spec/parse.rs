//! From text to a spec: YAML, and JSON as the YAML that it is.
//!
//! The typed reading comes first, alone where all is well. Only if it fails is the text
//! read again as a tree with lines, to say everything that is wrong with it.

use serde::Serialize;

use super::ServiceSpec;
use super::problem::{Checks, Problem, ProblemKind, SpecError};
use super::tree::Tree;

/// Nested deeper than any spec; keeps hostile text from using up the stack.
const DEEPEST: usize = 64;

impl ServiceSpec {
    /// Reads YAML or JSON and checks it. The error holds everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let Failed { path, error } = match typed(text) {
            Ok(spec) => {
                return match spec.problems() {
                    problems if problems.is_empty() => Ok(spec),
                    problems => Err(located(text, problems)),
                };
            }
            Err(failed) => *failed,
        };
        let line = error.location().and_then(|at| u32::try_from(at.line()).ok());
        let Ok(tree) = Tree::read(text) else {
            let kind = ProblemKind::Syntax { detail: message(&error) };
            return Err(SpecError { problems: vec![Problem { path: String::new(), line, kind }] });
        };
        let mut problems = tree.unknown_keys(&super::json_schema());
        if !message(&error).starts_with("unknown field") || problems.is_empty() {
            let kind = ProblemKind::WrongType { detail: in_our_words(&message(&error)) };
            problems.push(Problem { path: path.unwrap_or_default(), line, kind });
        }
        problems.sort_by_key(|problem| problem.line);
        Err(SpecError { problems })
    }

    /// Everything that is wrong with a spec that was made otherwise than by [`Self::parse`].
    pub fn check(&self) -> Result<(), SpecError> {
        let problems = self.problems();
        if problems.is_empty() { Ok(()) } else { Err(SpecError { problems }) }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut checks = Checks::default();
        self.check_into(&mut checks);
        checks.into_problems()
    }

    /// One text for each meaning: JSON with the fields in the type's order and maps sorted.
    pub fn canonical(&self) -> String {
        canonical(self)
    }

    /// A short hash of what is wanted; whether the file also names the service makes no
    /// difference.
    pub fn fingerprint(&self) -> String {
        let unnamed = Self { cluster: None, service: None, ..self.clone() };
        crate::names::short_hash(&unnamed.canonical())
    }
}

#[expect(clippy::expect_used, reason = "maps have text keys, numbers are finite: JSON takes every spec")]
fn canonical(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("a spec is JSON")
}

pub(super) fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    options.strict_booleans = true;
    options.emit_comments = false;
    if let Some(budget) = options.budget.as_mut() {
        budget.max_depth = DEEPEST;
        budget.flow_nesting_limit = DEEPEST;
    }
    options
}

/// Where the typed reading ended, where it can be said, and why.
struct Failed {
    path: Option<String>,
    error: serde_saphyr::Error,
}

fn typed(text: &str) -> Result<ServiceSpec, Box<Failed>> {
    let mut path = None;
    serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
        serde_path_to_error::deserialize(deserializer).map_err(|error| {
            path = Some(error.path().to_string()).filter(|path| path != "." && !path.contains('?'));
            error.into_inner()
        })
    })
    .map_err(|error| Box::new(Failed { path, error }))
}

/// Refusals with the lines of the text that they are about.
fn located(text: &str, mut problems: Vec<Problem>) -> SpecError {
    if let Ok(tree) = Tree::read(text) {
        for problem in &mut problems {
            problem.line = tree.line_of(&problem.path);
        }
    }
    problems.sort_by_key(|problem| problem.line);
    SpecError { problems }
}

/// The parser's message without its place, which is told by path and line.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

/// The parser speaks of its own types; people write texts, lists and numbers.
fn in_our_words(message: &str) -> String {
    match message {
        "expected string scalar" => "wants a text".into(),
        "expected sequence start" => "wants a list: `[a, b]`, or lines that begin with `- `".into(),
        "expected mapping start" => "wants keys and values".into(),
        "invalid u32" | "invalid u64" => "wants a whole number, not negative".into(),
        "invalid u16" => "wants a whole number from 0 to 65535".into(),
        "invalid i32" => "wants a whole number".into(),
        "invalid f64" => "wants a number".into(),
        "cannot deserialize null into string; use Option<String>" => {
            "wants a text; an empty one is written `\"\"`".into()
        }
        other if other.starts_with("duplicate mapping key") => {
            let key = other.trim_start_matches("duplicate mapping key: ");
            format!("the key `{}` is there twice", key.split(',').next().unwrap_or(key))
        }
        other => other.replace("missing field", "missing key"),
    }
}
