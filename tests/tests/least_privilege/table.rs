//! `docs/least-privilege.md`: written from the template and from what the tests used.
//!
//! What a row says about tests is a claim that a run can prove: these tests used the grant, and at least so many did.
//! A claim that is still true stays as it is, so that a new test elsewhere does not change the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use windlass_tests::grants;

use crate::grants::{Row, excuse};

/// What to do about a table that is not true.
pub(crate) const NEXT: &str = "write it anew with `WINDLASS_WRITE_TABLE=1 scripts/test rust`";

const HEAD: &str = "# Least privilege

What each role of `template.yaml` allows, and which scenario tests used it. Written by a run of the tests
(`WINDLASS_WRITE_TABLE=1 scripts/test rust`) and checked by each: a grant that no test uses fails, unless the reason
stands here; a test that is named here and does not use its grant fails too. The embedded AWS evaluates the roles as IAM
does (`sim/src/iam`), on the resources and condition keys of AWS's service authorization reference. `<Cluster>`,
`<Repository>`, `<PassRole>` stand for each of the stack's `ClusterNames`, `RepositoryNames`, `PassRoleArns`; `arn:*` leaves
Region and account open where CloudFormation joins a list: the condition closes the Region, the role itself the account.
`InfrastructureRole`, which ECS takes to shift requests, has AWS's managed policy alone and is not here.
With `Tracing: Active` the functions' roles have `xray:PutTelemetryRecords` and `xray:PutTraceSegments` on `*` beside these
(`TracingPolicy`): X-Ray knows no resource for them, and the embedded AWS has no X-Ray.

| role | statement | action | resource | condition | used by |
|---|---|---|---|---|---|
";

/// Which tests used which grant.
pub(crate) struct Used(BTreeMap<grants::Used, BTreeSet<String>>);

impl Used {
    pub(crate) fn read(dir: &Path) -> Self {
        let mut tests: BTreeMap<grants::Used, BTreeSet<String>> = BTreeMap::new();
        for (grant, test) in grants::read(dir) {
            tests.entry(grant).or_default().insert(test);
        }
        Self(tests)
    }

    pub(crate) fn tests_of(&self, row: &Row) -> BTreeSet<String> {
        let Row { role, statement, action, nth, .. } = row.clone();
        self.0.get(&grants::Used { role, statement, action, nth }).cloned().unwrap_or_default()
    }
}

pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/least-privilege.md")
}

/// The rows of a written table: the template's cells, and the claim.
pub(crate) fn read(path: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let rows = text.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| role "));
    rows.filter_map(|line| {
        let (cells, claim) = line.strip_suffix(" |")?.rsplit_once(" | ")?;
        Some((format!("{cells} |"), claim.to_owned()))
    })
    .collect()
}

pub(crate) fn render(rows: &[Row], used: &Used, old: &BTreeMap<String, String>) -> String {
    let mut text = HEAD.to_owned();
    for row in rows {
        let (cells, tests) = (row.cells(), used.tests_of(row));
        let claim = match old.get(&cells) {
            Some(claim) if holds(claim, &tests) => claim.clone(),
            _ => claim(row, &tests),
        };
        let _ = writeln!(text, "{cells} {claim} |"); // a String takes everything
    }
    text
}

/// `` `create::made`, `update::again` and others, 10 or more ``
fn claim(row: &Row, tests: &BTreeSet<String>) -> String {
    let named: Vec<String> =
        tests.iter().filter(|test| is_steady(test)).take(2).map(|it| format!("`{it}`")).collect();
    let named =
        if named.is_empty() { tests.iter().take(1).map(|it| format!("`{it}`")).collect() } else { named };
    match (tests.len(), excuse(row)) {
        (0, Some(why)) => format!("no test: {why}"),
        (0, None) => "no test".to_owned(),
        (many, _) if many > named.len() => {
            format!("{} and others, {} or more", named.join(", "), at_least(many))
        }
        _ => named.join(", "),
    }
}

/// What kills and seeds choose may come otherwise after any change.
fn is_steady(test: &str) -> bool {
    !["kills", "simulation", "matrix", "main"]
        .iter()
        .any(|word| test.starts_with(word) || test.contains(&format!("::{word}")))
}

fn at_least(many: usize) -> usize {
    [100, 50, 20, 10, 5, 2].into_iter().find(|step| many >= *step).unwrap_or(1)
}

/// Whether a claim is true of a run.
fn holds(claim: &str, tests: &BTreeSet<String>) -> bool {
    let named: Vec<&str> = claim.split('`').skip(1).step_by(2).collect();
    let least = claim.rsplit_once(" and others, ").and_then(|(_, rest)| rest.split(' ').next()?.parse().ok());
    let excused = named.is_empty();
    excused == tests.is_empty()
        && named.iter().all(|test| tests.contains(*test))
        && least.is_none_or(|least: usize| tests.len() >= least)
        && !(excused && claim == "no test")
}

#[test]
fn a_claim_holds_while_its_tests_use_the_grant() {
    let tests = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    let claim = "`a::b`, `c::d` and others, 5 or more";
    assert!(holds(claim, &tests(&["a::b", "c::d", "e", "f", "g", "h"])));
    assert!(!holds(claim, &tests(&["a::b", "c::d", "e", "f"])), "too few");
    assert!(!holds(claim, &tests(&["a::b", "x", "e", "f", "g"])), "not the one that is named");
    assert!(holds("no test: for a reason", &tests(&[])) && !holds("no test: for a reason", &tests(&["a"])));
    assert!(!holds("no test", &tests(&[])), "a grant without a use has a reason or goes");
}
