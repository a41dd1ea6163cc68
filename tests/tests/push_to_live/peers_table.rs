//! `tests/PEERS.md` names tests; here is whether they are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const TABLE: &str = include_str!("../../PEERS.md");
const ROOMS: [&str; 6] = ["shared", "aws", "sim", "cli", "functions", "tests"];

/// The names in backticks in a row's second column.
fn named() -> BTreeSet<&'static str> {
    let rows = TABLE.lines().filter(|line| line.starts_with("| "));
    let cells = rows.filter_map(|row| row.trim_end_matches(" |").rsplit(" | ").next());
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect()
}

/// The functions right below a `#[test]`, a `#[tokio::test]`, or in a `proptest!`; and the cells of
/// a `matrix!`, each of which is one.
fn tests_in(directory: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests_in(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let has_cells = text.contains("\nmatrix! {");
            let mut is_test = false;
            for line in text.lines().map(str::trim_start) {
                let name = line.split_once("fn ").and_then(|(_, rest)| rest.split('(').next());
                match name {
                    Some(name) if is_test => _ = found.insert(name.to_owned()),
                    _ => {}
                }
                let cell = line.split_once(": ").filter(|(_, way)| has_cells && way.contains("::"));
                found.extend(cell.map(|(name, _)| name.to_owned()));
                is_test = line.starts_with("#[test]")
                    || line.starts_with("#[tokio::test")
                    || (is_test && line.starts_with("#["));
            }
        }
    }
}

#[test]
fn every_test_that_the_table_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = BTreeSet::new();
    for room in ROOMS {
        tests_in(&root.join(room), &mut found);
    }
    let named = named();
    assert!(named.len() > 50, "{} names: is the table read?", named.len());
    let missing: Vec<_> = named.iter().filter(|name| !found.contains(**name)).collect();
    assert!(missing.is_empty(), "tests/PEERS.md names tests that are not there: {missing:#?}");
}
