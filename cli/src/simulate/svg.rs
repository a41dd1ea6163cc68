//! As much of SVG as step curves take: a document with its colours for light and dark, axes, paths.

use std::fmt::Write as _;

/// Colours by class, for a light and for a dark page. Blue and orange are told apart by every eye.
const STYLE: &str = "
  text { font: 12px ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600; fill: #1f2328 }
  .name { font-weight: 600; fill: #1f2328 }
  .page { fill: #ffffff }
  .grid { stroke: #d8dee4; stroke-width: 1 }
  .axis { stroke: #8c959f; stroke-width: 1 }
  .area { fill: #d0d7de; stroke: none }
  .windlass { stroke: #0969da; fill: none; stroke-width: 2; stroke-linejoin: round }
  .ecs { stroke: #d9730d; fill: none; stroke-width: 2; stroke-linejoin: round }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 }
    .title, .name { fill: #f0f6fc }
    .page { fill: #0d1117 }
    .grid { stroke: #262c36 }
    .axis { stroke: #656c76 }
    .area { fill: #3d444d }
    .windlass { stroke: #58a6ff }
    .ecs { stroke: #f0a24a }
  }";

/// A document under way.
pub(super) struct Svg {
    body: String,
    size: (u32, u32),
}

/// A rectangle in which values are drawn over seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    /// The last second.
    pub(super) end: u32,
    /// The value at its upper edge.
    pub(super) most: u32,
}

impl Panel {
    pub(super) fn x(&self, at: u32) -> f64 {
        f64::from(self.left) + f64::from(self.width) * f64::from(at) / f64::from(self.end.max(1))
    }

    pub(super) fn y(&self, value: u32) -> f64 {
        f64::from(self.bottom()) - f64::from(self.height) * f64::from(value) / f64::from(self.most.max(1))
    }

    pub(super) fn bottom(&self) -> u32 {
        self.top + self.height
    }

    /// Values that hold until the next, as a path.
    fn steps(&self, values: impl Iterator<Item = (u32, u32)>) -> String {
        let mut path = String::new();
        let mut last = None;
        for (at, value) in values {
            let (x, y) = (self.x(at), self.y(value));
            // Writing into a string does not fail.
            let _ = match last {
                None => write!(path, "M{x:.1} {y:.1}"),
                Some(before) if before == value => write!(path, "H{x:.1}"),
                Some(_) => write!(path, "H{x:.1}V{y:.1}"),
            };
            last = Some(value);
        }
        path
    }
}

impl Svg {
    pub(super) fn new(width: u32, height: u32) -> Self {
        Self { body: String::new(), size: (width, height) }
    }

    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(&format!(r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#));
    }

    pub(super) fn text(&mut self, class: &str, anchor: &str, (x, y): (f64, f64), words: &str) {
        self.push(&format!(
            r#"<text class="{class}" text-anchor="{anchor}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escaped(words)
        ));
    }

    /// A small filled rectangle.
    pub(super) fn swatch(&mut self, class: &str, (x, y): (f64, f64)) {
        self.push(&format!(r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="14" height="10" rx="2"/>"#));
    }

    /// A curve that goes by steps.
    pub(super) fn curve(&mut self, class: &str, panel: &Panel, values: impl Iterator<Item = (u32, u32)>) {
        let path = panel.steps(values);
        self.push(&format!(r#"<path class="{class}" d="{path}"/>"#));
    }

    /// The same, filled down to nothing.
    pub(super) fn area(&mut self, panel: &Panel, values: impl Iterator<Item = (u32, u32)>) {
        let path = panel.steps(values);
        if !path.is_empty() {
            let (left, floor) = (panel.x(0), panel.bottom());
            self.push(&format!(r#"<path class="area" d="{path}V{floor}H{left:.1}Z"/>"#));
        }
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }

    /// The document.
    pub(super) fn end(self, title: &str) -> String {
        let (width, height) = self.size;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
             height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}\n</style>\n<rect class=\"page\" \
             width=\"{width}\" height=\"{height}\" rx=\"6\"/>\n{}</svg>\n",
            escaped(title),
            self.body
        )
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_holds_until_the_next() {
        let panel = Panel { left: 10, top: 0, width: 100, height: 50, end: 100, most: 5 };
        let path = panel.steps([(0, 1), (20, 5), (50, 5), (100, 0)].into_iter());
        assert_eq!(path, "M10.0 40.0H30.0V0.0H60.0H110.0V50.0");
    }

    #[test]
    fn words_cannot_become_elements() {
        let mut svg = Svg::new(10, 10);
        svg.text("name", "start", (0.0, 0.0), "<b> & co");
        assert!(svg.end("x<y").contains("&lt;b&gt; &amp; co"));
    }
}
