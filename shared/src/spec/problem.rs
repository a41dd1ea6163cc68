//! What is wrong with a spec: all of it at once, each with its path and, where the text is
//! known, its line.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;

/// A spec that cannot be used, with everything that is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
pub struct SpecError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where: `route.paths[0]`; empty for the whole.
    pub path: String,
    /// The line of the text, from 1.
    pub line: Option<u32>,
    /// What.
    #[serde(flatten)]
    pub kind: ProblemKind,
}

/// The sorts of mistakes in a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "problem")]
pub enum ProblemKind {
    /// Neither YAML nor JSON.
    Syntax {
        /// The parser's words.
        detail: String,
    },
    /// A key that means nothing here.
    UnknownKey {
        /// The known key that it is nearest to, where one is near.
        nearest: Option<String>,
        /// All the keys that mean something here.
        known: Vec<String>,
    },
    /// A value of the wrong sort.
    WrongType {
        /// What was wanted.
        detail: String,
    },
    /// A value out of its range, or at odds with another one.
    Refused {
        /// What is allowed, and by whom.
        detail: String,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        let path = &self.path;
        match &self.kind {
            ProblemKind::Syntax { detail } => write!(f, "neither YAML nor JSON: {detail}"),
            ProblemKind::UnknownKey { nearest: Some(nearest), .. } => {
                write!(f, "unknown key `{path}`: did you mean `{nearest}`?")
            }
            ProblemKind::UnknownKey { nearest: None, known } => {
                write!(f, "unknown key `{path}`: known here: {}", known.join(", "))
            }
            ProblemKind::WrongType { detail } | ProblemKind::Refused { detail } if path.is_empty() => {
                f.write_str(detail)
            }
            ProblemKind::WrongType { detail } | ProblemKind::Refused { detail } => {
                write!(f, "`{path}`: {detail}")
            }
        }
    }
}

/// The known word nearest to `word`, if it is near enough to have been meant: at most a
/// third of its letters differ, and never more than three.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count().div_ceil(3)).min(3);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Gathers refusals while the sections of a spec are walked.
#[derive(Debug, Default)]
pub(super) struct Checks {
    path: Vec<String>,
    problems: Vec<Problem>,
}

impl Checks {
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Walks into a key.
    pub(super) fn within(&mut self, key: &str, walk: impl FnOnce(&mut Self)) {
        self.path.push(key.to_owned());
        walk(self);
        self.path.pop();
    }

    /// Walks into each item of a list.
    pub(super) fn each<T>(&mut self, key: &str, items: &[T], mut walk: impl FnMut(&mut Self, &T)) {
        for (index, item) in items.iter().enumerate() {
            self.within(&format!("{key}[{index}]"), |checks| walk(checks, item));
        }
    }

    /// Something is wrong with this key (of the section that is being walked; empty: with
    /// the section).
    pub(super) fn refuse(&mut self, key: &str, detail: impl Into<String>) {
        let mut path = self.path.clone();
        path.extend((!key.is_empty()).then(|| key.to_owned()));
        let kind = ProblemKind::Refused { detail: detail.into() };
        self.problems.push(Problem { path: path.join("."), line: None, kind });
    }

    /// Unless this holds, something is wrong.
    pub(super) fn need(&mut self, holds: bool, key: &str, detail: impl Into<String>) {
        if !holds {
            self.refuse(key, detail);
        }
    }

    /// A number within AWS's range, or ours.
    pub(super) fn range(&mut self, key: &str, number: u32, allowed: RangeInclusive<u32>) {
        let (from, to) = (allowed.start(), allowed.end());
        self.need(allowed.contains(&number), key, format!("{number} is not in {from} to {to}"));
    }

    /// Text of 1 to `longest` characters, none of them a control character.
    pub(super) fn text(&mut self, key: &str, text: &str, longest: usize) {
        let fits = (1..=longest).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        self.need(fits, key, format!("wants 1 to {longest} characters, none of them a control character"));
    }

    /// No two the same.
    pub(super) fn distinct<T: Ord + fmt::Display>(&mut self, key: &str, items: &[T]) {
        let mut seen = BTreeSet::new();
        for item in items {
            self.need(seen.insert(item), key, format!("has `{item}` twice"));
        }
    }
}
