//! Outcomes as tables: for a terminal, and for docs/capacity.md.

use super::replay::{Run, hours};
use super::{Outcome, Policy};
use crate::output::{FAINT, STRONG, paint};
use crate::table::table;

/// Between these the table of docs/capacity.md is put.
const BEGIN: &str = "<!-- begin: windlass simulate -->";
const END: &str = "<!-- end: windlass simulate -->";

/// For people at a terminal.
pub(super) fn text(outcomes: &[Outcome]) -> String {
    let heading = [
        "TRACE",
        "POLICY",
        "WAITED",
        "LONGEST",
        "INSTANCE-HOURS",
        "OVER THE LEAST",
        "COST",
        "DISRUPTED",
        "MOST",
        "LAUNCHED",
    ];
    let mut rows = Vec::new();
    for outcome in outcomes {
        for (at, run) in outcome.runs.iter().enumerate() {
            let name = if at == 0 { paint(STRONG, &outcome.trace) } else { String::new() };
            rows.push(row(name, run));
        }
        rows.extend(compared(outcome));
    }
    let end = "WAITED: seconds, summed over tasks, from wanted to placed. LEAST: as many instances as the tasks \
               wanted take by CPU or memory.";
    format!("{}\n\n{}", table(&heading, &rows), paint(FAINT, end))
}

fn row(name: String, run: &Run) -> Vec<String> {
    let it = &run.totals;
    vec![
        name,
        run.policy.to_string(),
        format!("{} s", it.waited_task_secs),
        format!("{} s", it.longest_wait_secs),
        format!("{:.1}", hours(it.instance_secs)),
        over(it.instance_secs, it.least_instance_secs),
        format!("${:.2}", run.usd),
        it.disrupted.to_string(),
        it.most_instances.to_string(),
        it.launched.to_string(),
    ]
}

/// Windlass's numbers over ECS's.
fn compared(outcome: &Outcome) -> Option<Vec<String>> {
    let (ours, theirs) = (outcome.of(Policy::Windlass)?, outcome.of(Policy::Ecs)?);
    let of = |f: fn(&Run) -> u64| ratio(f(ours), f(theirs));
    let cells = [
        String::new(),
        "ratio".to_owned(),
        of(|it| it.totals.waited_task_secs),
        of(|it| it.totals.longest_wait_secs),
        of(|it| it.totals.instance_secs),
        String::new(),
        of(|it| it.totals.instance_secs),
        String::new(),
        of(|it| it.totals.most_instances.into()),
        of(|it| it.totals.launched.into()),
    ];
    Some(cells.into_iter().map(|cell| paint(FAINT, cell)).collect())
}

/// How much more than the least, in percent.
fn over(secs: u64, least: u64) -> String {
    if least == 0 { "–".to_owned() } else { format!("{:+.0} %", (quotient(secs, least) - 1.0) * 100.0) }
}

/// As a factor; where the second is nothing there is none.
fn ratio(a: u64, b: u64) -> String {
    match (a, b) {
        (0, 0) => "=".to_owned(),
        (_, 0) => "–".to_owned(),
        _ => format!("{:.2}×", quotient(a, b)),
    }
}

fn quotient(a: u64, b: u64) -> f64 {
    hours(a) / hours(b)
}

/// One line of docs/capacity.md for each trace that both policies ran, and one for all of them.
pub(super) fn markdown(outcomes: &[Outcome]) -> Vec<String> {
    let mut lines = vec![
        "| trace | tasks waited, task·s | | longest wait, s | instance-hours | | over the least | disrupted | most instances | launched |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(outcomes.iter().filter_map(line));
    lines
}

fn line(outcome: &Outcome) -> Option<String> {
    let (ours, theirs) = (outcome.of(Policy::Windlass)?, outcome.of(Policy::Ecs)?);
    let (a, b) = (&ours.totals, &theirs.totals);
    Some(format!(
        "| {} | {} / {} | {} | {} / {} | {:.1} / {:.1} | {} | {} / {} | {} / {} | {} / {} | {} / {} |",
        outcome.trace,
        a.waited_task_secs,
        b.waited_task_secs,
        ratio(a.waited_task_secs, b.waited_task_secs),
        a.longest_wait_secs,
        b.longest_wait_secs,
        hours(a.instance_secs),
        hours(b.instance_secs),
        ratio(a.instance_secs, b.instance_secs),
        over(a.instance_secs, a.least_instance_secs),
        over(b.instance_secs, b.least_instance_secs),
        a.disrupted,
        b.disrupted,
        a.most_instances,
        b.most_instances,
        a.launched,
        b.launched,
    ))
}

/// The text with the table between its markers.
pub(super) fn into_docs(text: &str, outcomes: &[Outcome]) -> Option<String> {
    let (before, rest) = text.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", markdown(outcomes).join("\n")))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::simulate::measure::Totals;

    fn run(policy: Policy, waited: u64, secs: u64) -> Run {
        let totals = Totals {
            waited_task_secs: waited,
            longest_wait_secs: waited / 2,
            instance_secs: secs,
            least_instance_secs: 7200,
            ..Totals::default()
        };
        Run { policy, totals, usd: 1.5, waiting_at_end: 0, curve: Vec::new() }
    }

    fn outcome() -> Outcome {
        let runs = vec![run(Policy::Windlass, 100, 9000), run(Policy::Ecs, 400, 18_000)];
        Outcome { trace: "steps".to_owned(), about: String::new(), hours: 3, runs }
    }

    #[test]
    fn ratios_are_windlass_over_ecs() {
        let text = anstream::adapter::strip_str(&text(&[outcome()])).to_string();
        let ratios: Vec<&str> = text.lines().nth(3).unwrap().split_whitespace().collect();
        assert_eq!(ratios, ["ratio", "0.25×", "0.25×", "0.50×", "0.50×", "=", "="]);
        assert!(text.contains("+25 %") && text.contains("+150 %"), "{text}");
    }

    #[test]
    fn docs_keep_what_is_around_their_table() {
        let text = format!("# Capacity\n{BEGIN}\nold\n{END}\nmore\n");
        let text = into_docs(&text, &[outcome()]).unwrap();
        assert!(text.starts_with("# Capacity\n") && text.ends_with("\nmore\n") && !text.contains("old"));
        assert_eq!(into_docs(&text, &[outcome()]).as_deref(), Some(text.as_str()), "twice is once");
        assert_eq!(into_docs("no markers", &[]), None);
    }

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
    }

    #[test]
    fn every_sample_is_a_trace_and_stands_in_the_docs() {
        let docs = std::fs::read_to_string(root().join("docs/capacity.md")).unwrap();
        let mut names = Vec::new();
        for file in std::fs::read_dir(root().join("benches/traces")).unwrap() {
            let path = file.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            crate::simulate::Trace::parse(&text)
                .unwrap_or_else(|error| panic!("{}: {error:#}", path.display()));
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            assert!(docs.contains(&format!("\n| {name} | ")), "{name}: run benches/capacity");
            assert!(docs.contains(&format!("img/capacity-{name}.svg")), "{name} has no picture in the docs");
            names.push(name);
        }
        assert!(names.len() >= 6, "{names:?}");
    }

    /// The short traces, for the long ones take longer than a test may.
    #[test]
    fn the_table_in_the_docs_is_what_the_command_prints() {
        let docs = std::fs::read_to_string(root().join("docs/capacity.md")).unwrap();
        for name in ["steps", "from-zero", "26-to-2"] {
            let path = root().join(format!("benches/traces/{name}.yaml"));
            let outcome = crate::simulate::outcome(&path, &[Policy::Windlass, Policy::Ecs], 1)
                .unwrap_or_else(|_| panic!("{name}"));
            let line = line(&outcome).unwrap();
            assert!(docs.contains(&line), "docs/capacity.md is behind: run benches/capacity; now\n{line}");
        }
    }
}
