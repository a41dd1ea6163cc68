//! Bars of what is taken of an instance, a colour for each service.

use std::collections::BTreeMap;

use anstyle::{AnsiColor, Style};
use windlass_shared::scale::picture::{Picture, Quantity};

use crate::output::{FAINT, paint};

/// Cells of a bar.
const CELLS: u32 = 20;
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Green,
    AnsiColor::Yellow,
    AnsiColor::BrightRed,
];

/// A colour for each service of a picture, by its name.
pub(super) struct Palette(BTreeMap<String, Style>);

impl Palette {
    pub(super) fn of(picture: &Picture) -> Self {
        let on = picture.instances.iter().flat_map(|it| &it.tasks);
        let mut names: Vec<&str> = on.map(|it| it.of.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let colours = COLOURS.iter().cycle().map(|colour| colour.on_default());
        Self(names.into_iter().map(str::to_owned).zip(colours).collect())
    }

    pub(super) fn style(&self, of: &str) -> Style {
        self.0.get(of).copied().unwrap_or_default()
    }
}

/// One quantity of one instance.
pub(super) struct Bar<'a> {
    quantity: Quantity,
    parts: Vec<(&'a str, u32)>,
}

impl<'a> Bar<'a> {
    pub(super) fn new(quantity: Quantity, parts: impl Iterator<Item = (&'a str, u32)>) -> Self {
        Self { quantity, parts: parts.filter(|(_, taken)| *taken > 0).collect() }
    }

    /// Twenty cells: each part's, then `▒` for what is taken otherwise, then what is free.
    pub(super) fn drawn(&self, palette: &Palette) -> String {
        let (mut text, mut taken, mut cell) = (String::new(), 0_u64, 0);
        for (of, part) in &self.parts {
            taken += u64::from(*part);
            let until = self.cell(taken);
            text += &paint(palette.style(of), "█".repeat((until - cell) as usize));
            cell = until;
        }
        let used = self.cell(taken.max(u64::from(self.quantity.used)));
        text += &paint(FAINT, "▒".repeat((used - cell) as usize));
        text + &paint(FAINT, "░".repeat((CELLS - used) as usize))
    }

    /// Up to which cell so much of the whole goes. What is taken at all takes one.
    fn cell(&self, taken: u64) -> u32 {
        let total = u64::from(self.quantity.total.max(1));
        let cells = (taken * u64::from(CELLS) + total / 2) / total;
        let least = u64::from(taken > 0);
        u32::try_from(cells.clamp(least, u64::from(CELLS))).unwrap_or(CELLS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    fn drawn(used: u32, parts: &[(&str, u32)]) -> String {
        let bar = Bar::new(Quantity { used, total: 2048 }, parts.iter().copied());
        strip_str(&bar.drawn(&Palette(BTreeMap::new()))).to_string()
    }

    #[test]
    fn a_bar_has_twenty_cells_whatever_is_taken() {
        assert_eq!(drawn(0, &[]), "░░░░░░░░░░░░░░░░░░░░");
        assert_eq!(drawn(1024, &[("shop", 512), ("api", 512)]), "██████████░░░░░░░░░░");
        assert_eq!(drawn(1024, &[("shop", 512)]), "█████▒▒▒▒▒░░░░░░░░░░");
        assert_eq!(drawn(2, &[("shop", 2)]), "█░░░░░░░░░░░░░░░░░░░", "a little is seen");
        assert_eq!(drawn(2048, &[("shop", 2048)]), "████████████████████");
        assert_eq!(drawn(2048, &[("shop", 4096)]), "████████████████████", "never wider");
    }
}
