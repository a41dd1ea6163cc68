//! An error and its hint are two things: what went wrong, down to its cause, and what to
//! do next.

use windlass_shared::facts::FailureKind;

/// The next step where AWS did not answer at all.
const NO_ANSWER: &str = "check AWS_ENDPOINT_URL, the Region and the network, then try again; for the \
                         embedded AWS: is `windlass local` still running?";

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong, with its chain of causes.
    pub(crate) error: anyhow::Error,
    /// What to do next, where the error does not say it.
    hint: Option<String>,
}

/// What a command comes to.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
    }
}

impl Failure {
    /// An error with its next step.
    pub(crate) fn with_hint(error: anyhow::Error, hint: impl Into<String>) -> Self {
        Self { error, hint: Some(hint.into()) }
    }

    /// The same, told in a wider frame.
    pub(crate) fn within(self, doing: impl std::fmt::Display + Send + Sync + 'static) -> Self {
        Self { error: self.error.context(doing), hint: self.hint }
    }
}

/// Adds the next step to an error.
pub(crate) trait HintExt<T> {
    /// The next step, told beside the error.
    fn hint(self, hint: impl Into<String>) -> Result<T>;
}

impl<T, E: Into<Failure>> HintExt<T> for std::result::Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> Result<T> {
        self.map_err(|error| Failure { hint: Some(hint.into()), ..error.into() })
    }
}

impl Failure {
    /// What to do next: as it was said, or as the refused call's own error knows.
    pub(crate) fn hint(&self) -> Option<String> {
        self.hint.clone().or_else(|| {
            let call = self.error.chain().find_map(|cause| cause.downcast_ref::<windlass_aws::Failure>())?;
            let unanswered = call.code.is_none() && call.kind == FailureKind::Unknown;
            call.next_step().or_else(|| unanswered.then(|| NO_ANSWER.to_owned()))
        })
    }

    /// The messages of the chain, outermost first, without those that an outer one repeats.
    pub(crate) fn chain(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        for cause in self.error.chain().map(ToString::to_string) {
            if !words.last().is_some_and(|outer| outer.contains(&cause)) {
                words.push(cause);
            }
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn a_cause_that_is_repeated_is_told_once() {
        let error = Err::<(), _>(anyhow::anyhow!("port 1 is taken"))
            .context("binding: port 1 is taken")
            .context("starting")
            .hint("choose another");
        let failure = error.unwrap_err();
        assert_eq!(failure.chain(), ["starting", "binding: port 1 is taken"]);
        assert_eq!(failure.hint().as_deref(), Some("choose another"));
    }
}
