//! CSV answers (RFC 4180) that are safe to open in a spreadsheet.

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use sonar_protocol::text::is_formula;

/// Characters that need quotes.
const SPECIAL: [char; 4] = ['"', ',', '\r', '\n'];

/// Appends a row.
pub fn push_row<T: AsRef<str>>(out: &mut String, cells: impl IntoIterator<Item = T>) {
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        push_cell(out, cell.as_ref());
    }
    out.push_str("\r\n");
}

fn push_cell(out: &mut String, text: &str) {
    let is_formula = is_formula(text);
    if !is_formula && !text.contains(SPECIAL) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_formula {
        // Spreadsheets take a cell that begins with an apostrophe as text.
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// The text of a value that may be absent: an empty cell.
pub fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The answer with a CSV file of this name, which must be a plain word.
pub fn attachment(name: &str, body: impl Into<Body>) -> Response {
    let disposition = HeaderValue::try_from(format!("attachment; filename=\"{name}.csv\""))
        .unwrap_or(HeaderValue::from_static("attachment"));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present")),
        (header::CONTENT_DISPOSITION, disposition),
    ];
    (headers, body.into()).into_response()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sonar_protocol::text::FORMULA;

    use super::*;

    fn row(cells: &[&str]) -> String {
        let mut out = String::new();
        push_row(&mut out, cells);
        out
    }

    /// A reader of RFC 4180 for one row.
    fn read(row: &str) -> Vec<String> {
        let (mut cells, mut rest) = (Vec::new(), row.strip_suffix("\r\n").unwrap());
        loop {
            let mut cell = String::new();
            if let Some(quoted) = rest.strip_prefix('"') {
                let mut tail = quoted;
                loop {
                    let (text, after) = tail.split_once('"').unwrap();
                    cell.push_str(text);
                    match after.strip_prefix('"') {
                        Some(more) => {
                            cell.push('"');
                            tail = more;
                        }
                        None => {
                            rest = after;
                            break;
                        }
                    }
                }
            } else {
                let end = rest.find(',').unwrap_or(rest.len());
                cell.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            cells.push(cell);
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return cells,
            }
        }
    }

    #[test]
    fn cells_are_quoted_when_needed_and_never_formulas() {
        assert_eq!(row(&["a", "", "1"]), "a,,1\r\n");
        assert_eq!(row(&["a,b", "say \"x\"", "two\nlines"]), "\"a,b\",\"say \"\"x\"\"\",\"two\nlines\"\r\n");
        assert_eq!(row(&["=HYPERLINK(\"http://x\")"]), "\"'=HYPERLINK(\"\"http://x\"\")\"\r\n");
        for start in FORMULA {
            let cell = format!("{start}1");
            assert_eq!(row(&[&cell]), format!("\"'{cell}\"\r\n"));
        }
    }

    proptest! {
        #[test]
        fn every_row_is_read_back(cells in prop::collection::vec("[\\PC\r\n\t\",=@]{0,12}", 1..6)) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            let read = read(&row(&cells));
            prop_assert_eq!(read.len(), cells.len());
            for (read, cell) in read.iter().zip(cells) {
                prop_assert!(!read.starts_with(FORMULA), "{read}");
                prop_assert!(read == cell || read.strip_prefix('\'') == Some(cell), "{read} from {cell}");
            }
        }
    }
}
