//! A trace's picture: what is wanted, what waits, and the instances, under each policy.

use super::measure::Point;
use super::replay::{Run, hours};
use super::svg::{Panel, Svg};
use super::{Outcome, Policy};

const WIDTH: u32 = 860;
const LEFT: u32 = 64;
const RIGHT: u32 = 24;
/// Tops and heights of the three panels.
const WANTED: (u32, u32) = (128, 80);
const WAITING: (u32, u32) = (248, 110);
const INSTANCES: (u32, u32) = (398, 170);
const HEIGHT: u32 = 610;

/// The document.
pub(super) fn draw(outcome: &Outcome) -> String {
    let mut svg = Svg::new(WIDTH, HEIGHT);
    let end = outcome.hours * 3600;
    svg.text("title", "start", (f64::from(LEFT), 28.0), &outcome.trace);
    svg.text("", "start", (f64::from(LEFT), 47.0), &outcome.about);
    legend(&mut svg, &outcome.runs);
    let curves: Vec<&[Point]> = outcome.runs.iter().map(|run| run.curve.as_slice()).collect();
    let first = curves.first().copied().unwrap_or_default();
    let most =
        |of: fn(&Point) -> u32| curves.iter().flat_map(|it| it.iter()).map(of).max().unwrap_or_default();

    let wanted = panel(WANTED, end, most(|it| it.wanted));
    frame(&mut svg, &wanted, "tasks wanted");
    svg.area(&wanted, first.iter().map(|it| (it.at, it.wanted)));

    let waiting = panel(WAITING, end, most(|it| it.waiting));
    frame(&mut svg, &waiting, "tasks waiting for a place");
    let instances = panel(INSTANCES, end, most(|it| it.instances.max(it.least)));
    frame(&mut svg, &instances, "instances");
    svg.area(&instances, first.iter().map(|it| (it.at, it.least)));
    // ECS first, so that Windlass's curve lies on it.
    for run in outcome.runs.iter().rev() {
        let class = class(run.policy);
        svg.curve(class, &waiting, run.curve.iter().map(|it| (it.at, it.waiting)));
        svg.curve(class, &instances, run.curve.iter().map(|it| (it.at, it.instances)));
    }
    hours_axis(&mut svg, &instances, outcome.hours);
    svg.end(&format!("{}: {}", outcome.trace, outcome.about))
}

fn class(policy: Policy) -> &'static str {
    match policy {
        Policy::Windlass => "windlass",
        Policy::Ecs => "ecs",
    }
}

fn panel((top, height): (u32, u32), end: u32, most: u32) -> Panel {
    let (step, count) = ticks(most);
    Panel { left: LEFT, top, width: WIDTH - LEFT - RIGHT, height, end, most: step * count }
}

/// Round numbers for an axis: the step, and how many of them hold the largest value. Two to five.
fn ticks(most: u32) -> (u32, u32) {
    let mut size = 1;
    loop {
        for step in [size, 2 * size, 5 * size] {
            let count = most.max(1).div_ceil(step);
            if count <= 5 {
                return (step, count.max(2));
            }
        }
        size *= 10;
    }
}

fn legend(svg: &mut Svg, runs: &[Run]) {
    let mut x = f64::from(LEFT);
    for run in runs {
        let it = &run.totals;
        let name = match run.policy {
            Policy::Windlass => "Windlass",
            Policy::Ecs => "ECS managed scaling",
        };
        svg.line(class(run.policy), (x, 70.0), (x + 20.0, 70.0));
        let sum =
            format!("{} task·s waited, {:.1} instance-hours", it.waited_task_secs, hours(it.instance_secs));
        svg.text("name", "start", (x + 26.0, 74.0), name);
        svg.text("", "start", (x + 26.0, 90.0), &sum);
        x += 290.0;
    }
    svg.swatch("area", (x, 65.0));
    svg.text("", "start", (x + 20.0, 74.0), "wanted; the least");
    svg.text("", "start", (x + 20.0, 90.0), "instances that hold it");
}

fn frame(svg: &mut Svg, panel: &Panel, name: &str) {
    let (left, right) = (f64::from(panel.left), f64::from(panel.left + panel.width));
    let (step, count) = ticks(panel.most);
    for value in (0..=count).map(|it| it * step) {
        let y = panel.y(value);
        let class = if value == 0 { "axis" } else { "grid" };
        svg.line(class, (left, y), (right, y));
        svg.text("", "end", (left - 8.0, y + 4.0), &value.to_string());
    }
    svg.text("name", "start", (left, f64::from(panel.top) - 10.0), name);
}

fn hours_axis(svg: &mut Svg, panel: &Panel, hours: u32) {
    let step = if hours > 12 { 4 } else { 1 };
    for hour in (0..=hours).step_by(step) {
        let x = panel.x(hour * 3600);
        let foot = f64::from(panel.bottom());
        svg.line("axis", (x, foot), (x, foot + 5.0));
        svg.text("", "middle", (x, foot + 20.0), &format!("{hour} h"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::measure::Totals;

    #[test]
    fn axes_have_round_numbers_that_hold_the_most() {
        for (most, expected) in
            [(0, (1, 2)), (1, (1, 2)), (4, (1, 4)), (7, (2, 4)), (26, (10, 3)), (130, (50, 3))]
        {
            assert_eq!(ticks(most), expected, "{most}");
        }
        for most in 1..2000 {
            let (step, count) = ticks(most);
            assert!(step * count >= most && (2..=5).contains(&count), "{most}");
            assert_eq!(ticks(step * count), (step, count), "{most}");
        }
    }

    #[test]
    fn a_picture_has_a_curve_of_each_policy_in_both_panels() {
        let point = |at, instances| Point { at, wanted: 3, waiting: 1, instances, least: 1 };
        let run = |policy| Run {
            policy,
            totals: Totals::default(),
            usd: 0.0,
            waiting_at_end: 0,
            curve: vec![point(0, 1), point(1800, 2), point(3600, 1)],
        };
        let outcome = Outcome {
            trace: "steps".to_owned(),
            about: "up & down".to_owned(),
            hours: 1,
            runs: vec![run(Policy::Windlass), run(Policy::Ecs)],
        };
        let picture = draw(&outcome);
        for class in ["windlass", "ecs"] {
            assert_eq!(picture.matches(&format!("<path class=\"{class}\"")).count(), 2, "{class}");
        }
        assert!(picture.contains("up &amp; down") && picture.contains("prefers-color-scheme: dark"));
    }
}
