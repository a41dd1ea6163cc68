//! Which grants of the stack's roles a test used, written down for `tests/least_privilege.rs`, which judges
//! all tests of a run together.
//!
//! Nothing is written unless `WINDLASS_USED_GRANTS` names a directory: `scripts/test` sets it, empties the
//! directory before the Rust stage, and runs the judge after it. A binary that was left out leaves grants
//! unused, and the judge says so.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, process, thread};

use windlass_sim::World;

/// The directory's name is in here.
pub const VARIABLE: &str = "WINDLASS_USED_GRANTS";

/// One grant, as a test used it: the role's logical id, the policy's and the statement's names, the action,
/// and which of the statement's resources.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// `DeployRole`
    pub role: String,
    /// `<policy>/<Sid>`
    pub statement: String,
    /// The action's pattern.
    pub action: String,
    /// Which of the statement's resources.
    pub nth: usize,
}

/// Lines that this process has written: a simulation has many worlds that use the same.
static WRITTEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Where to write, if anywhere.
pub(crate) fn wanted() -> Option<PathBuf> {
    env::var_os(VARIABLE).map(PathBuf::from)
}

/// Writes what `world` used. The test's name is its thread's.
pub(crate) fn note(dir: &Path, world: &World, stack: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("main");
    let mut lines = String::new();
    let mut written = WRITTEN.lock().unwrap_or_else(PoisonError::into_inner);
    for (role, grant) in world.gate.permissions.usage.grants() {
        let role = role.strip_prefix(stack).and_then(|rest| rest.strip_prefix('-')).unwrap_or(role);
        let line = format!("{test}\t{role}\t{}/{}\t{}\t{}", grant.policy, grant.sid, grant.action, grant.nth);
        if written.insert(line.clone()) {
            let _ = writeln!(lines, "{line}"); // a String takes everything
        }
    }
    let file = dir.join(format!("{}.tsv", process::id()));
    let appended = fs::create_dir_all(dir)
        .and_then(|()| OpenOptions::new().create(true).append(true).open(&file))
        .and_then(|mut file| file.write_all(lines.as_bytes()));
    appended.unwrap_or_else(|error| panic!("writing the used grants to {}: {error}", file.display()));
}

/// Reads what all processes wrote: each test with each grant that it used.
pub fn read(dir: &Path) -> BTreeSet<(Used, String)> {
    let files = fs::read_dir(dir).unwrap_or_else(|error| panic!("reading {}: {error}", dir.display()));
    let files = files.map(|file| file.unwrap_or_else(|error| panic!("{}: {error}", dir.display())).path());
    let texts = files.map(|path| {
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
    });
    texts.flat_map(|text| text.lines().map(line).collect::<Vec<_>>()).collect()
}

fn line(line: &str) -> (Used, String) {
    let mut fields = line.split('\t').map(str::to_owned);
    let mut field = || fields.next().unwrap_or_else(|| panic!("no line of used grants: {line}"));
    let test = field();
    let (role, statement, action) = (field(), field(), field());
    let nth = field().parse().unwrap_or_else(|error| panic!("{line}: {error}"));
    (Used { role, statement, action, nth }, test)
}
