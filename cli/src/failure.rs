//! An error and its hint are two things: what went wrong, down to its cause, and what to
//! do next.

/// A command that could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    /// What went wrong, with its chain of causes.
    pub(crate) error: anyhow::Error,
    /// What to do next, where the error does not say it.
    pub(crate) hint: Option<String>,
}

/// What a command comes to.
pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { error: error.into(), hint: None }
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
        assert_eq!(failure.hint.as_deref(), Some("choose another"));
    }
}
