//! The exit codes: a contract for scripts.
//!
//! | code | means |
//! |---|---|
//! | 0 | done; the answer is yes |
//! | 1 | done; the answer is no: a spec is refused, an event is malformed, the demo saw a failed request or a rollout that ended otherwise than it must |
//! | 2 | `plan --check`: something is pending |
//! | 3 | it could not be done: no credentials, a call was refused, a file is not there, a port is taken |
//! | 64 | the command line is not understood |

use std::process::ExitCode;

/// The same table, for `windlass --help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0   done; the answer is yes
  1   done; the answer is no (spec refused, event malformed, demo not as it must be)
  2   plan --check: something is pending
  3   it could not be done; the error says why and what to do next
  64  the command line is not understood";

/// How the command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; the answer is yes.
    Ok,
    /// Done; the answer is no.
    No,
    /// `plan --check`: something is pending.
    Pending,
    /// It could not be done.
    Failed,
    /// The command line is not understood.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::No => 1,
            Exit::Pending => 2,
            Exit::Failed => 3,
            Exit::Usage => 64, // sysexits' EX_USAGE
        })
    }
}
