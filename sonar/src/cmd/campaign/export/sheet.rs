//! CSV files for spreadsheets.

use std::fmt::Write;

use sonar_protocol::text;

/// A CSV file. Cells are texts of strangers in part, so none can become a formula.
#[derive(Debug)]
pub struct Sheet(String);

impl Sheet {
    pub fn new(header: &[&str]) -> Self {
        let mut sheet = Self(String::new());
        sheet.row(header.iter().map(ToString::to_string));
        sheet
    }

    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        for (index, cell) in cells.into_iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            // Writing to a string cannot fail.
            let _ = write!(self.0, "{comma}{}", escaped(&cell));
        }
        self.0 += "\r\n";
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

/// A cell in the form of RFC 4180. A spreadsheet computes cells that begin like a formula, so an apostrophe makes them
/// text; numbers stay numbers.
fn escaped(cell: &str) -> String {
    let is_formula = text::is_formula(cell) && cell.parse::<f64>().is_err();
    let shown = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    if shown.contains(['"', ',', '\n', '\r', ';', '\t']) {
        format!("\"{}\"", shown.replace('"', "\"\""))
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sonar_protocol::data::{TableLimits, read_csv};

    use super::*;

    #[test]
    fn no_cell_is_computed_by_a_spreadsheet() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
            ("-2,5", "\"'-2,5\""),
            ("-2.5", "-2.5"),
            ("12.5", "12.5"),
            ("\t=1", "\"'\t=1\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("＝1+1", "'＝1+1"),
            ("0xab", "0xab"),
            ("", ""),
        ] {
            assert_eq!(escaped(cell), written, "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn a_sheet_is_read_back(cells in prop::collection::vec("[a-z,\";]{1,8}", 6)) {
            let mut sheet = Sheet::new(&["a", "b", "c"]);
            cells.chunks(3).for_each(|row| sheet.row(row.to_vec()));
            let table = read_csv(&sheet.into_bytes(), &TableLimits::default()).unwrap();
            prop_assert_eq!(table.rows(), 2);
            for (index, cell) in cells.iter().enumerate() {
                prop_assert_eq!(table.cell(index / 3, index % 3), cell.trim());
            }
        }
    }
}
