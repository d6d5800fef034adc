//! A table in Markdown, its columns aligned for who reads the text.

use std::fmt;

/// Columns whose head begins with a space have numbers: they are aligned to the right.
pub(super) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new(head: &[&'static str]) -> Table {
        Table {
            head: head.to_vec(),
            rows: Vec::new(),
        }
    }

    /// As many cells as the head has.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let row: Vec<String> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(row.len(), self.head.len(), "{row:?}");
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].as_str());
            let cells = cells.chain([self.head[column].trim(), "---"]);
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.head.len()).map(width).collect();
        let is_number = |column: usize| self.head[column].starts_with(' ');
        let line = |f: &mut fmt::Formatter<'_>, cells: &mut dyn Iterator<Item = &str>| {
            for (column, cell) in cells.enumerate() {
                let width = widths[column];
                if is_number(column) {
                    write!(f, "| {cell:>width$} ")?;
                } else {
                    write!(f, "| {cell:width$} ")?;
                }
            }
            writeln!(f, "|")
        };
        line(f, &mut self.head.iter().map(|cell| cell.trim()))?;
        for (column, width) in widths.iter().enumerate() {
            let dashes = "-".repeat(width - 1);
            if is_number(column) {
                write!(f, "| {dashes}: ")?;
            } else {
                write!(f, "| {dashes}- ")?;
            }
        }
        writeln!(f, "|")?;
        for row in &self.rows {
            line(f, &mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

/// Three digits at least: `0.0123`, `0.123`, `1.23`, `12.3`, `1234`.
pub(super) fn shown(value: f64) -> String {
    match value {
        v if v.is_nan() => "–".to_owned(),
        v if v < 0.09995 => format!("{v:.4}"),
        v if v < 0.9995 => format!("{v:.3}"),
        v if v < 9.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_aligned_to_the_right() {
        let mut table = Table::new(&["log", " wall"]);
        table.row(["busy", &shown(0.25)]);
        table.row(["–", &shown(f64::NAN)]);
        assert_eq!(
            table.to_string(),
            "| log  |  wall |\n| ---- | ----: |\n| busy | 0.250 |\n| –    |     – |\n"
        );
    }

    #[test]
    fn three_digits_are_shown() {
        for (value, text) in [
            (0.0123, "0.0123"),
            (0.9999, "1.00"),
            (1.234, "1.23"),
            (56.78, "56.8"),
            (1234.5, "1234"),
        ] {
            assert_eq!(shown(value), text);
        }
    }
}
