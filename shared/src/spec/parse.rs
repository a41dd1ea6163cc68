//! From text to a spec: YAML, and JSON as the YAML that it is.
//!
//! The typed reading comes first, alone where all is well. Only if it fails is the text
//! read again as a tree with lines, to say everything that is wrong with it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ServiceSpec;
use super::problem::{Checks, Problem, ProblemKind, SpecError, nearest};
use super::tree::Tree;

/// Twice as deep as any spec. At the parser's own 64 a debug build uses up a
/// thread's 2 MiB of stack.
const DEEPEST: usize = 16;

impl ServiceSpec {
    /// Reads YAML or JSON and checks it. The error holds everything that is wrong.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        read(text, super::json_schema, Self::problems)
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

    /// A short hash of all that a rollout's outcome depends on. What only says when one may
    /// begin, or how many tasks there are later, makes no difference: a freeze that is written
    /// down in the middle of a canary is no reason to begin it anew, nor to let go of what failed.
    pub fn fingerprint(&self) -> String {
        let Self { image, task, desired, network, route, rollout, verify, pre_deploy, .. } = self.clone();
        let what =
            Self { task, desired, network, route, rollout, verify, pre_deploy, ..Self::of_image(image) };
        crate::names::short_hash(&what.canonical())
    }

    /// The same of everything that it says: what waits is looked at anew when any of it changes.
    /// Whether the file also names the service makes no difference.
    pub fn whole_fingerprint(&self) -> String {
        let unnamed = Self { cluster: None, service: None, ..self.clone() };
        crate::names::short_hash(&unnamed.canonical())
    }
}

/// Reads a file of any kind: typed where all is well, else with everything that is wrong.
pub(super) fn read<T: DeserializeOwned>(
    text: &str,
    schema: impl FnOnce() -> Value,
    check: impl FnOnce(&T) -> Vec<Problem>,
) -> Result<T, SpecError> {
    let Failed { path, error } = match typed(text) {
        Ok(spec) => {
            return match check(&spec) {
                problems if problems.is_empty() => Ok(spec),
                problems => Err(located(text, problems)),
            };
        }
        Err(failed) => *failed,
    };
    let tree = match Tree::read(text) {
        Ok(tree) => tree,
        // The tree's own error: the typed reading may have stopped at something else before.
        Err(syntax) => return Err(not_a_tree(&message(&syntax), line_of(&syntax))),
    };
    let line = line_of(&error);
    let mut problems = tree.unknown_keys(&schema());
    let path = path.unwrap_or_default();
    // Told already, by its key and with the nearest known one.
    let told = message(&error).starts_with("unknown field") && !problems.is_empty();
    if !told && problems.iter().all(|problem| problem.path != path) {
        let kind = ProblemKind::WrongType { detail: in_our_words(&message(&error)) };
        problems.push(Problem { path, line, kind });
    }
    problems.sort_by_key(|problem| problem.line);
    Err(SpecError { problems })
}

#[expect(clippy::expect_used, reason = "maps have text keys, numbers are finite: JSON takes every spec")]
pub(super) fn canonical(value: &impl Serialize) -> String {
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

fn typed<T: DeserializeOwned>(text: &str) -> Result<T, Box<Failed>> {
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

fn line_of(error: &serde_saphyr::Error) -> Option<u32> {
    error.location().and_then(|at| u32::try_from(at.line()).ok())
}

/// The parser's message without its place, which is told by path and line.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.to_string();
    let text = text.lines().next().unwrap_or_default();
    text.rsplit_once(" at line ").map_or(text, |(message, _)| message).to_owned()
}

/// The parser speaks of its own types; people write texts, lists and numbers.
fn in_our_words(message: &str) -> String {
    let exactly = match message {
        "expected string scalar" => "wants a text",
        "expected sequence start" => "wants a list: `[a, b]`, or lines that begin with `- `",
        "expected mapping start" => "wants keys and values",
        "expected mapping end" => "has more keys than may stand here together",
        "unexpected end of input" => "is empty: wants keys and values, `image` at least",
        "invalid u32" | "invalid u64" => "wants a whole number, not negative",
        "invalid u16" => "wants a whole number from 0 to 65535",
        "invalid i32" => "wants a whole number",
        "invalid f64" => "wants a number",
        "invalid boolean (strict mode expects true/false)" => "wants `true` or `false`",
        "cannot deserialize null into string; use Option<String>" => {
            "wants a text; an empty one is written `\"\"`"
        }
        _ if message.starts_with(SEVERAL) => "wants one document: there is a second one after `---`",
        _ => "",
    };
    if !exactly.is_empty() {
        return exactly.to_owned();
    }
    if let Some((read, wanted)) = message.split_once(", expected ") {
        if let Some(word) = read.strip_prefix("unknown variant ") {
            return unknown_word(word.trim_matches('`'), wanted);
        }
        if let Some(read) = read.strip_prefix("invalid type: ").or(read.strip_prefix("invalid value: ")) {
            return format!("is read as {read}; wants {wanted}");
        }
    }
    message.replace("missing field", "missing key")
}

/// The parser's word for more than one document.
const SEVERAL: &str = "multiple YAML documents";

fn unknown_word(word: &str, known: &str) -> String {
    let known = known.trim_start_matches("one of ");
    match nearest(word, known.split(", ").map(|word| word.trim_matches('`'))) {
        Some(nearest) => format!("`{word}` means nothing here: did you mean `{nearest}`?"),
        None => format!("`{word}` means nothing here: known are {known}"),
    }
}

/// Text that has no tree at all. Duplicate keys and second documents are YAML, only not ours.
fn not_a_tree(message: &str, line: Option<u32>) -> SpecError {
    let (path, kind) = match message.strip_prefix("duplicate mapping key: ") {
        Some(rest) => {
            let key = rest.split(',').next().unwrap_or(rest);
            (key.to_owned(), ProblemKind::Refused { detail: "is there twice".into() })
        }
        None if message.starts_with(SEVERAL) || message == "unexpected end of input" => {
            (String::new(), ProblemKind::WrongType { detail: in_our_words(message) })
        }
        None => (String::new(), ProblemKind::Syntax { detail: message.to_owned() }),
    };
    SpecError { problems: vec![Problem { path, line, kind }] }
}
