//! Columns of text, as wide as they must be.

use anstream::adapter::strip_str;

use crate::output::{FAINT, paint};

/// A table with a heading; cells may be coloured.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| visible(cell));
        cells.chain([heading.get(column).map_or(0, |word| word.len())]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let heading: Vec<String> = heading.iter().map(|word| paint(FAINT, word)).collect();
    let lines = std::iter::once(&heading).chain(rows).map(|row| line(row, &widths));
    lines.collect::<Vec<_>>().join("\n")
}

fn line(row: &[String], widths: &[usize]) -> String {
    let last = row.len().saturating_sub(1);
    let cells = row.iter().zip(widths).enumerate().map(|(at, (cell, width))| {
        let gap = if at == last { 0 } else { width.saturating_sub(visible(cell)) };
        format!("{cell}{}", " ".repeat(gap))
    });
    cells.collect::<Vec<_>>().join("  ")
}

/// The characters of a cell that take room.
fn visible(cell: &str) -> usize {
    strip_str(cell).to_string().chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::GOOD;

    #[test]
    fn colours_take_no_room() {
        let rows = [vec!["main/shop".to_owned(), paint(GOOD, "live"), "2/2".to_owned()]];
        let text = strip_str(&table(&["SERVICE", "STATE", "TASKS"], &rows)).to_string();
        insta::assert_snapshot!(text, @r"
        SERVICE    STATE  TASKS
        main/shop  live   2/2
        ");
    }
}
