//! Tables for the terminal.

use crate::plain::plain;

/// A table with aligned columns.
#[derive(Debug, Clone, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// Whether all columns are texts; else all but the first are numbers.
    texts: bool,
}

impl Table {
    /// A table of numbers with a row of headings: the first column to the left, the others to the right.
    pub fn new<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// A table of texts with a row of headings: all columns to the left.
    pub fn left<T: Into<String>>(headings: impl IntoIterator<Item = T>) -> Self {
        Self { texts: true, ..Self::new(headings) }
    }

    /// Adds a row. The cells are made plain.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| plain(&cell.into())).collect());
    }

    /// The lines, each ended; cells are two spaces apart.
    pub fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0))
            .collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, &width))| match self.texts || column == 0 {
                    true => format!("{cell:<width$}"),
                    false => format!("{cell:>width$}"),
                })
                .collect();
            text += cells.join("  ").trim_end();
            text.push('\n');
        }
        text
    }
}

/// A table as data, for pages and documents. The first cell of a row is its heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// What the table shows.
    pub caption: String,
    /// The headings of the columns.
    pub headings: Vec<String>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// A table of `rows`.
    pub fn new(caption: impl Into<String>, headings: &[&str], rows: Vec<Vec<String>>) -> Self {
        Self { caption: caption.into(), headings: headings.iter().map(|heading| (*heading).to_owned()).collect(), rows }
    }
}

/// A number with three significant digits and no exponent: `0.0123`, `4.56`, `12,345`.
pub fn figure(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs();
    let text = match magnitude {
        m if m >= 100.0 => format!("{magnitude:.0}"),
        m if m >= 10.0 => format!("{magnitude:.1}"),
        m if m >= 1.0 => format!("{magnitude:.2}"),
        m if m >= 0.1 => format!("{magnitude:.3}"),
        m if m >= 0.01 => format!("{magnitude:.4}"),
        _ => format!("{magnitude:.5}"),
    };
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let sign = if value < 0.0 { "-" } else { "" };
    format!("{sign}{}{fraction}", grouped(whole))
}

/// The digits of a whole number in groups of three: `10,000`.
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["engine", "p50", "note"]);
        table.row(["ort:cpu", "0.5", ""]);
        table.row(["b", "12.25", "é"]);
        assert_eq!(table.render(), "engine     p50  note\nort:cpu    0.5\nb        12.25     é\n");
        assert_eq!(Table::default().render(), "");
        let mut forged = Table::left(["item"]);
        forged.row(["a\nPassed"]);
        assert_eq!(forged.render(), "item\na\\nPassed\n");
    }

    #[test]
    fn figures_have_three_digits() {
        let cases = [
            (0.0, "0.00000"),
            (0.001234, "0.00123"),
            (0.0567, "0.0567"),
            (0.567, "0.567"),
            (5.678, "5.68"),
            (56.78, "56.8"),
            (567.8, "568"),
            (56789.0, "56,789"),
            (-1234567.0, "-1,234,567"),
            (f64::INFINITY, "inf"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }
}
