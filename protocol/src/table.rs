//! CSV files: unambiguous files are read, all others are refused with the line of the problem.
//!
//! `encoding` decodes the bytes to text (gzip, UTF-16, Windows-1252), `records` splits the text into records, and
//! this module detects separator and header and checks the limits. Launch, Capsule and Mine use the same function, so
//! they read the same rows.

mod encoding;
mod records;

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::HashSet,
    fmt::{self, Write as _},
    iter,
};

use records::{CsvRecord, Records};

/// Maximum number of columns of a table, and of inputs of a campaign.
pub const MAX_COLUMNS: usize = 4_096;
/// Number of records that are used to detect separator and header.
const SAMPLE: usize = 100;
/// Maximum number of characters of a cell that a message shows.
const SHOWN: usize = 40;
/// Supported separators, in the order of preference when two split a file equally well.
const SEPARATORS: [char; 4] = [',', ';', '\t', '|'];
/// Separators that are detected only for the error message. Spaces are detected too.
const OTHER_SEPARATORS: [(char, &str); 6] = [
    (':', "colons"),
    ('^', "`^`"),
    ('~', "`~`"),
    ('#', "`#`"),
    ('\u{1}', "the control character U+0001"),
    ('，', "`，`"),
];
/// Texts of missing values, in any case.
const MISSING: [&str; 12] = ["", "?", "-", "--", ".", "na", "n/a", "#n/a", "<na>", "null", "none", "missing"];

/// Size limits of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableLimits {
    /// Maximum number of bytes of the file, and of its unpacked text.
    pub bytes: u64,
    /// Maximum number of columns.
    pub columns: usize,
    /// Maximum number of rows, without the header.
    pub rows: usize,
}

impl Default for TableLimits {
    fn default() -> Self {
        Self { bytes: 1 << 30, columns: MAX_COLUMNS, rows: 5_000_000 }
    }
}

/// Source of the column names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// The first line, unless it looks like data.
    #[default]
    Checked,
    /// The first line, unless it looks like data and lacks one of these names.
    Expected(Vec<String>),
    /// The first line, whatever it looks like.
    FirstLine,
    /// These names, or `column1`, `column2`, … if empty: the file has no header line.
    Absent(Option<Vec<String>>),
}

/// Why a file is not a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is an archive, or another kind of file.
    #[error("the file is {0}, not CSV: unpack or export it, and use the CSV file")]
    Kind(&'static str),
    /// It is compressed, but damaged.
    #[error("the file is compressed with gzip and cannot be unpacked: {0}; compress it again, or use the CSV file")]
    Gzip(String),
    /// It is UTF-16 with invalid characters.
    #[error("the file is UTF-16 by its first bytes and has invalid characters: save it as UTF-8")]
    Utf16,
    /// Its encoding can only be guessed.
    #[error(
        "line {line}: byte 0x{byte:02X} is not UTF-8, and {place} is not read in a guessed encoding: save the file as UTF-8"
    )]
    Encoding {
        /// Line in the file.
        line: u64,
        /// Description of the text at this place.
        byte: u8,
        /// Kind of text for which a guess is not safe.
        place: &'static str,
    },
    /// It is binary, or UTF-16 without byte order mark.
    #[error(
        "line {0} contains a NUL byte: the file is binary, damaged, or UTF-16 without byte order mark; save it as UTF-8"
    )]
    Nul(u64),
    /// It has no header or no rows.
    #[error("the file is empty: it needs a header line with column names, and at least one row")]
    Empty,
    /// It is too large.
    #[error("the file is larger than {0} bytes")]
    TooManyBytes(u64),
    /// It has too many columns.
    #[error("the file has {have} columns, more than the limit of {most}")]
    TooManyColumns {
        /// Columns in the header.
        have: usize,
        /// The limit.
        most: usize,
    },
    /// It has too many rows.
    #[error("the file has more than {0} rows")]
    TooManyRows(usize),
    /// Two columns have the same name.
    #[error("column `{0}` appears twice: rename one of the two")]
    DuplicateColumn(String),
    /// A quote is not closed.
    #[error("the quote opened in line {0} is not closed: close it, or write \"\" for a quote within a quoted cell")]
    UnclosedQuote(u64),
    /// There is text between a closing quote and the next separator.
    #[error(
        "line {line}: `{text}` follows a closing quote (the quote opened in line {opened}): quote the whole cell, and write \"\" for a quote within it"
    )]
    AfterQuote {
        /// Line in which the quote was opened.
        opened: u64,
        /// Line of the text.
        line: u64,
        /// The text.
        text: String,
    },
    /// A quoted cell contains whole rows.
    #[error(
        "the quote opened in line {opened} is closed only in line {closed}, after text that looks like whole rows: close it in line {opened}"
    )]
    SwallowedRows {
        /// Line in which the quote was opened.
        opened: u64,
        /// Line in which it was closed.
        closed: u64,
    },
    /// A row has more or fewer cells than the header.
    #[error("line {line} has {have} cells, the header has {expected} (separated by {separator}): correct the line")]
    Ragged {
        /// Line in the file.
        line: u64,
        /// Number of its cells.
        have: usize,
        /// Number of cells of the header.
        expected: usize,
        /// Name of the separator.
        separator: &'static str,
    },
    /// The columns have an unsupported separator.
    #[error(
        "the columns are separated by {0}: save the file with commas, semicolons, tabs or vertical bars between them"
    )]
    Separator(String),
    /// There is no header line.
    #[error("the first line looks like data (`{0}`): a CSV file starts with a line of column names; add one")]
    LooksLikeData(String),
    /// The header line is repeated, as in concatenated files.
    #[error("line {0} repeats the header line: remove it")]
    RepeatedHeader(u64),
    /// The number of given names is not the number of columns.
    #[error("{given} column names were given, but line {line} has {have} cells (separated by {separator})")]
    Names {
        /// Number of given names.
        given: usize,
        /// Line in the file.
        line: u64,
        /// Number of its cells.
        have: usize,
        /// Name of the separator.
        separator: &'static str,
    },
}

/// A table: the cells of a CSV file.
#[derive(Clone, PartialEq, Eq)]
pub struct Table {
    columns: Vec<String>,
    /// All cells, concatenated.
    text: String,
    /// End of each cell in `text`.
    ends: Vec<u32>,
    /// Line of each row in the file.
    lines: Vec<u64>,
    has_commas: bool,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Table({} columns, {} rows)", self.columns.len(), self.rows())
    }
}

/// Parses a CSV file with a header line.
///
/// # Errors
/// When the file is not a table, is ambiguous, or exceeds the limits.
pub fn read_csv(bytes: &[u8], limits: &TableLimits) -> Result<Table, TableError> {
    read_csv_with(bytes, &Header::Checked, limits)
}

/// Parses a CSV file with or without a header line.
///
/// # Errors
/// When the file is not a table, is ambiguous, or exceeds the limits.
pub fn read_csv_with(bytes: &[u8], header: &Header, limits: &TableLimits) -> Result<Table, TableError> {
    let limits = &TableLimits { bytes: limits.bytes.min(u32::MAX.into()), ..*limits };
    if bytes.len() as u64 > limits.bytes {
        return Err(TableError::TooManyBytes(limits.bytes));
    }
    let encoding::Text { text, guessed_from } = encoding::text(bytes, limits.bytes)?;
    if let Some(at) = text.find('\0') {
        return Err(TableError::Nul(records::line_of(&text, at)));
    }
    let (start, declared) = declared_separator(&text)?;
    let records = |separator| Records::new(&text, start, separator, limits.columns);
    let separator = declared.unwrap_or_else(|| infer_separator(records));
    let mut records = records(separator);
    let mut first = records.next().transpose()?.ok_or(TableError::Empty)?;
    if first.count > limits.columns {
        return Err(TableError::TooManyColumns { have: first.count, most: limits.columns });
    }
    if first.count == 1 && *header != Header::FirstLine {
        check_single(&first, records.clone())?;
    }
    let columns: Vec<String> = match header {
        Header::Checked | Header::Expected(_) | Header::FirstLine => {
            let names: Vec<String> = first.cells.iter().map(|cell| cell.clone().into_owned()).collect();
            if let (Some(raw), Some(name)) = (&guessed_from, names.iter().find(|name| !name.is_ascii())) {
                return Err(encoding::guessed(raw, &text, name, "a column's name"));
            }
            let is_certain = match header {
                Header::Expected(expected) => expected.iter().all(|name| names.contains(name)),
                other => *other == Header::FirstLine,
            };
            if !is_certain && looks_like_data(&names, records.clone()) {
                return Err(TableError::LooksLikeData(shorten(&names.join(separator.encode_utf8(&mut [0; 4])))));
            }
            first = match records.next().transpose()? {
                Some(record) => record,
                None => return Err(TableError::Empty),
            };
            names
        }
        Header::Absent(Some(names)) if names.len() != first.count => {
            let (given, separator) = (names.len(), separator_name(separator));
            return Err(TableError::Names { given, line: first.line, have: first.count, separator });
        }
        Header::Absent(Some(names)) => names.iter().map(|name| name.trim().to_owned()).collect(),
        Header::Absent(None) => (1..=first.count).map(|number| format!("column{number}")).collect(),
    };
    check_names(&columns)?;
    let may_repeat = matches!(header, Header::FirstLine | Header::Absent(_));
    let mut table = Table { columns, text: String::new(), ends: Vec::new(), lines: Vec::new(), has_commas: false };
    for record in iter::once(Ok(first)).chain(records) {
        if table.rows() == limits.rows {
            return Err(TableError::TooManyRows(limits.rows));
        }
        let record = record?;
        if !may_repeat && record.cells == table.columns {
            return Err(TableError::RepeatedHeader(record.line));
        }
        table.push(&record, separator)?;
    }
    Ok(table)
}

/// Several columns may have an empty name, because spreadsheets export empty columns without names.
fn check_names(columns: &[String]) -> Result<(), TableError> {
    if columns.iter().all(String::is_empty) {
        return Err(TableError::Empty);
    }
    let mut names = HashSet::new();
    match columns.iter().find(|name| !name.is_empty() && !names.insert(name.as_str())) {
        Some(twice) => Err(TableError::DuplicateColumn(twice.clone())),
        None => Ok(()),
    }
}

/// Parses a line `sep=;` before the header, as spreadsheets write it. Returns the end of that line, and the separator.
fn declared_separator(text: &str) -> Result<(usize, Option<char>), TableError> {
    let line = text.split(['\n', '\r']).next().unwrap_or(text);
    let declaration = line.strip_prefix('"').unwrap_or(line);
    let is_declared = declaration.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    let mut named = declaration.chars().skip(4).take_while(|c| *c != '"');
    match named.next().filter(|_| is_declared) {
        Some(separator) if SEPARATORS.contains(&separator) => Ok((line.len(), Some(separator))),
        Some(other) if named.next().is_none() => Err(TableError::Separator(format!("`{other}`"))),
        _ => Ok((0, None)),
    }
}

/// Detects the separator: the one that splits header and first rows evenly, and whose cells contain the other
/// separators least often, except decimal commas; among equals the one with the most columns. If no separator splits
/// them evenly, the one that splits the header into the most columns, so that the uneven line is reported with it.
fn infer_separator<'t>(records: impl Fn(char) -> Records<'t>) -> char {
    let is_torn = |cell: &&Cell<'t>| cell.contains(SEPARATORS) && comma_number(cell).is_none();
    let split = |separator| {
        let sample: Vec<CsvRecord<'t>> = records(separator).take(SAMPLE).map_while(Result::ok).collect();
        let columns = sample.first().map_or(0, |header| header.count);
        let is_even = sample.iter().all(|record| record.count == columns);
        let torn = sample.iter().flat_map(|record| &record.cells).filter(is_torn).count();
        (separator, columns, is_even, torn)
    };
    let splits: Vec<_> = SEPARATORS.map(split).into_iter().filter(|(_, columns, ..)| *columns > 1).collect();
    // `max_by_key` returns the last of equals, and the preferred one comes first.
    let even = splits.iter().rev().filter(|(.., is_even, _)| *is_even);
    even.max_by_key(|(_, columns, _, torn)| (Reverse(*torn), *columns))
        .or_else(|| splits.iter().rev().max_by_key(|(_, columns, ..)| *columns))
        .map_or(',', |(separator, ..)| *separator)
}

/// Checks that a file with one column really has one column, and not an unsupported separator.
fn check_single(first: &CsvRecord<'_>, below: Records<'_>) -> Result<(), TableError> {
    let rows: Vec<CsvRecord<'_>> = below.take(SAMPLE).map_while(Result::ok).collect();
    let lines = || iter::once(first).chain(&rows).filter_map(|record| record.cells.first());
    let is_even = |count: &dyn Fn(&str) -> usize| {
        let columns = lines().next().map_or(0, |line| count(line));
        columns > 1 && !rows.is_empty() && lines().all(|line| count(line) == columns)
    };
    let other = OTHER_SEPARATORS.iter().find(|(separator, _)| is_even(&|line| line.split(*separator).count()));
    let name =
        other.map(|(_, name)| *name).or_else(|| is_even(&|line| line.split_whitespace().count()).then_some("spaces"));
    name.map_or(Ok(()), |name| Err(TableError::Separator(name.into())))
}

fn separator_name(separator: char) -> &'static str {
    match separator {
        ';' => "semicolons",
        '\t' => "tabs",
        '|' => "vertical bars",
        _ => "commas",
    }
}

fn is_missing(cell: &str) -> bool {
    MISSING.iter().any(|missing| cell.eq_ignore_ascii_case(missing))
}

/// Whether a first line looks like data: it has values above values, or texts that occur again below.
fn looks_like_data(names: &[String], below: Records<'_>) -> bool {
    let rows: Vec<CsvRecord<'_>> = below.take(SAMPLE).map_while(Result::ok).collect();
    // A repeated first line may be the header of a second file.
    let others = || rows.iter().filter(|row| row.cells != names);
    let cells = |column: usize| {
        let cells = others().filter_map(move |row| row.cells.get(column).map(|cell| &**cell));
        cells.filter(|cell| !is_missing(cell))
    };
    let has_values = |column| cells(column).next().is_some() && cells(column).all(is_value);
    let named = || names.iter().enumerate().filter(|(_, name)| !is_missing(name));
    if named().any(|(column, name)| !is_value(name) && has_values(column)) {
        return false;
    }
    let is_repeated = rows.len() > 1 && named().all(|(column, name)| cells(column).any(|cell| cell == name));
    is_repeated || named().any(|(column, name)| is_value(name) && has_values(column))
}

/// A number, date, time, percentage or price.
fn is_value(text: &str) -> bool {
    let is_of_values = |c: char| c.is_ascii_digit() || "+-$€£%/:.,TZ ".contains(c);
    let starts_as_value = |text: &str| text.starts_with(|c: char| c.is_ascii_digit() || "+-$€£.,".contains(c));
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    is_number(text) || (has_digit && starts_as_value(text) && text.chars().all(is_of_values))
}

/// With a decimal point or a decimal comma.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok() || comma_number(text).is_some()
}

/// Converts `1,68` to `1.68`; `None` if it is not digits, a comma and digits.
pub(crate) fn comma_number(text: &str) -> Option<f64> {
    let (whole, decimals) = text.split_once(',')?;
    let digits = whole.strip_prefix(['+', '-']).unwrap_or(whole);
    let fits = !digits.is_empty()
        && digits.bytes().all(|c| c.is_ascii_digit())
        && decimals.starts_with(|c: char| c.is_ascii_digit());
    fits.then(|| format!("{whole}.{decimals}").parse().ok()).flatten()
}

/// Whether the comma in a number may be a separator of thousands: `1,234`.
fn may_be_thousands(text: &str) -> bool {
    let Some((whole, decimals)) = text.split_once(',') else { return false };
    let digits = whole.trim_start_matches(['+', '-']);
    decimals.len() == 3 && decimals.bytes().all(|c| c.is_ascii_digit()) && digits.len() <= 3 && !digits.starts_with('0')
}

/// The part of a text that a message shows.
pub(crate) fn shorten(text: &str) -> String {
    text.chars().take(SHOWN).collect()
}

impl Table {
    fn push(&mut self, record: &CsvRecord<'_>, separator: char) -> Result<(), TableError> {
        if record.count != self.columns.len() {
            let (expected, separator) = (self.columns.len(), separator_name(separator));
            return Err(TableError::Ragged { line: record.line, have: record.count, expected, separator });
        }
        if let Some((opened, closed)) = record.swallowed(separator) {
            return Err(TableError::SwallowedRows { opened, closed });
        }
        for cell in &record.cells {
            self.has_commas |= cell.contains(',');
            self.text.push_str(cell);
            // A file in another encoding may exceed the limit when it is decoded.
            let end = u32::try_from(self.text.len()).map_err(|_| TableError::TooManyBytes(u32::MAX.into()))?;
            self.ends.push(end);
        }
        self.lines.push(record.line);
        Ok(())
    }

    /// Names of the columns, in order.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.lines.len()
    }

    /// Line of a row in the file.
    pub(crate) fn line(&self, row: usize) -> u64 {
        self.lines[row]
    }

    /// A cell, trimmed.
    ///
    /// # Panics
    /// When there is no such row or column.
    #[must_use]
    pub fn cell(&self, row: usize, column: usize) -> &str {
        let at = row * self.columns.len() + column;
        let start = if at == 0 { 0 } else { self.ends[at - 1] as usize };
        &self.text[start..self.ends[at] as usize]
    }

    /// Whether a cell may have a decimal comma.
    pub(crate) const fn has_commas(&self) -> bool {
        self.has_commas
    }

    /// Whether these columns use decimal commas: only if each comma can be one, at least one cannot separate thousands,
    /// and there is no decimal point.
    pub(crate) fn has_decimal_commas(&self, columns: &[usize]) -> bool {
        if !self.has_commas {
            return false;
        }
        let cells = || (0..self.rows()).flat_map(|row| columns.iter().map(move |&column| self.cell(row, column)));
        let with_comma = || cells().filter(|cell| cell.contains(','));
        !cells().any(|cell| cell.contains('.'))
            && with_comma().all(|cell| comma_number(cell).is_some())
            && with_comma().any(|cell| !may_be_thousands(cell))
    }

    /// Encodes the table as a CSV file in UTF-8 with commas and a header line, which [`Header::FirstLine`] parses to
    /// the same table.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut csv = String::with_capacity(self.text.len() + self.ends.len());
        let columns = self.columns.len();
        for (column, name) in self.columns.iter().enumerate() {
            write_cell(&mut csv, name, column, columns);
        }
        for row in 0..self.rows() {
            for column in 0..columns {
                write_cell(&mut csv, self.cell(row, column), column, columns);
            }
        }
        csv
    }
}

fn write_cell(csv: &mut String, cell: &str, column: usize, columns: usize) {
    // An empty line is not a row.
    let is_blank = cell.is_empty() && columns == 1;
    if is_blank || cell.contains([',', '"', '\n', '\r', ';', '\t', '|']) {
        // Writing to a string cannot fail.
        let _ = write!(csv, "\"{}\"", cell.replace('"', "\"\""));
    } else {
        csv.push_str(cell);
    }
    csv.push(if column + 1 == columns { '\n' } else { ',' });
}

/// A cell of a record.
type Cell<'t> = Cow<'t, str>;

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use proptest::prelude::*;
    use std::io::Write as _;

    fn read(bytes: impl AsRef<[u8]>) -> Result<Table, TableError> {
        read_csv(bytes.as_ref(), &TableLimits::default())
    }

    fn refusal(bytes: impl AsRef<[u8]>) -> String {
        read(bytes).unwrap_err().to_string()
    }

    fn row(table: &Table, row: usize) -> Vec<&str> {
        (0..table.columns().len()).map(|column| table.cell(row, column)).collect()
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(unit).collect()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    }

    #[test]
    fn a_quote_that_does_not_end_is_named_with_its_line() {
        let unclosed = read("a,b,y,note\n8.2,7.7,yes,ok\n2.4,0.6,no,\"unfinished\n0.3,5.5,no,ok\n3.2,9.8,yes,ok\n");
        assert_eq!(unclosed, Err(TableError::UnclosedQuote(3)));
        let closed_later = refusal("a,note,y\n1,\"unfinished,no\n2,\"ok\",no\n");
        assert!(
            closed_later.starts_with("line 3: `ok\"` follows a closing quote (the quote opened in line 2)"),
            "{closed_later}"
        );
        let inches = read("a,b,y,note\n2.4,0.6,no,\"unfinished\n0.3,5.5,no,ok\n3.2,9.8,yes,5\"\n");
        assert_eq!(inches, Err(TableError::SwallowedRows { opened: 2, closed: 4 }));
        for (text, closed) in [
            ("a,note,y\n1,\"5 in,no\n2,5\",yes\n", 3),
            ("note,a\n\"5 in,1\n4\",2\n", 3),
            ("a,b,note\n1,x,\"open\n2,y,ok\n3,z,4\"\n", 4),
            ("a,b,note\r\n1,x,\"open\r\n2,y,4\"\r\n", 3),
            ("a;b;note\n1,5;x;\"open\n2,5;y;4\"\n", 3),
            ("a,b,c,d,e,y\n1,r,s,t,u,\"no\n2,r,s,t,u,yes\"\n", 3),
        ] {
            assert_eq!(read(text), Err(TableError::SwallowedRows { opened: 2, closed }), "{text}");
        }
        for text in [
            "a,name,note\n1,x,\"12 Main St\nSpringfield, IL, USA\"\n",
            "a,note\n1,\"first, second\nthird, fourth\nfifth\"\n",
            "a,b,note\n1,2,\"one\n\n1,2\"\n",
        ] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn text_after_a_closing_quote_is_named_with_its_line() {
        let after = refusal("a,note\n1,\"ok\"\n2,\"12 inch\" wide\n");
        assert!(after.starts_with("line 3: `wide` follows a closing quote"), "{after}");
    }

    #[test]
    fn quoted_cells_hold_separators_quotes_and_lines() {
        let table = read("a, note ,y\n1, \"one, \"\"two\"\"\nthree\" ,no\n2,5\" pipe,yes\n").unwrap();
        assert_eq!(table.columns(), ["a", "note", "y"]);
        assert_eq!(row(&table, 0), ["1", "one, \"two\"\nthree", "no"]);
        assert_eq!(row(&table, 1), ["2", "5\" pipe", "yes"]);
        assert_eq!((table.line(0), table.line(1)), (2, 4));
    }

    #[test]
    fn a_first_line_of_data_is_not_taken_for_names() {
        for text in [
            "6.6,3.8,1.5,1.6,kind-0\n5.5,3.0,1.9,0.8,kind-1\n",
            "1000025,5,1,1,1,2\n1000026,8,9,1,9,2\n",
            "1,68;2,5;no\n3,1;4,25;yes\n",
            "red,small,no\nblue,small,no\nred,large,yes\nred,small,no\n",
            "?,3,no\n4,5,yes\n",
            "1,2,no\n3,4,yes\n",
            "0,1,2\n5,6,a\n",
            "2020-01-31,red\n2020-02-01,blue\n",
            "5 %,12:30,$4\n6 %,13:00,$5\n",
            "None,3,no\n4,5,yes\n",
        ] {
            assert!(matches!(read(text), Err(TableError::LooksLikeData(_))), "{text}");
            let names = read_csv_with(text.as_bytes(), &Header::Absent(None), &TableLimits::default()).unwrap();
            assert_eq!(names.columns()[0], "column1");
            assert_eq!(names.rows(), text.lines().count(), "no row is lost");
        }
        for text in ["a,b\n1,2\n3,4\n", "id,2019,2020\n1,1.5,2\n", "x,y\nred,blue\n", ",a\n0,1\n1,2\n"] {
            assert!(read(text).is_ok(), "{text}: {:?}", read(text));
        }
    }

    #[test]
    fn names_are_given_for_a_file_without_them() {
        let with = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).into()).collect();
            read_csv_with(b"1,2\n3,4\n", &Header::Absent(Some(names)), &TableLimits::default())
        };
        let table = with(&["a", "b"]).unwrap();
        assert_eq!((table.columns(), table.rows()), (&["a".to_owned(), "b".to_owned()][..], 2));
        assert!(matches!(with(&["a"]), Err(TableError::Names { given: 1, line: 1, have: 2, .. })));
        assert!(matches!(with(&["a", "a"]), Err(TableError::DuplicateColumn(_))));
    }

    #[test]
    fn a_first_line_with_the_expected_names_is_the_header() {
        let expecting = |text: &str| {
            let expected = Header::Expected(vec!["0".into(), "1".into()]);
            read_csv_with(text.as_bytes(), &expected, &TableLimits::default())
        };
        assert_eq!(expecting("0,1,2\n5,6,7\n").unwrap().rows(), 1);
        let first_line = read_csv_with(b"3,4\n5,6\n", &Header::FirstLine, &TableLimits::default()).unwrap();
        assert_eq!(first_line.columns(), ["3", "4"]);
        assert!(matches!(expecting("5,6,7\n0,1,2\n"), Err(TableError::LooksLikeData(_))));
        assert_eq!(expecting("a,b\n0,1\n").unwrap().columns(), ["a", "b"], "what is missing is reported by the schema");
    }

    #[test]
    fn a_header_in_the_middle_of_joined_files_is_named() {
        assert_eq!(read("a,b,y\n1,2,no\na,b,y\n3,4,no\n"), Err(TableError::RepeatedHeader(3)));
        assert_eq!(read("x,y\nred,no\nx,y\nblue,no\n"), Err(TableError::RepeatedHeader(3)));
    }

    #[test]
    fn separators_are_inferred_or_named() {
        for text in [
            "a;b;y\n8.63;6.96;yes\n",
            "a\tb\ty\n8.63\t6.96\tyes\n",
            "a|b|y\n8.63|6.96|yes\n",
            "a;b;y\n8.63;6.96;\"yes\"\n",
        ] {
            assert_eq!(row(&read(text).unwrap(), 0), ["8.63", "6.96", "yes"], "{text}");
        }
        let empty_cells = read("a\tb\ty\n\t\tyes\n").unwrap();
        assert_eq!(row(&empty_cells, 0), ["", "", "yes"]);
        let without_header = |text: &str| {
            let names = Header::Absent(None);
            read_csv_with(text.as_bytes(), &names, &TableLimits::default()).unwrap()
        };
        for text in ["1,68;2,5;no\n3,1;4,25;yes\n", "1,68\t2,5\tno\n3,1\t4,25\tyes\n"] {
            assert_eq!(row(&without_header(text), 1), ["3,1", "4,25", "yes"], "{text}");
        }
        assert_eq!(row(&without_header("1,5;2,5;3,5\n4,5;5,5;6,5\n"), 0), ["1,5", "2,5", "3,5"]);
        assert_eq!(row(&without_header("1,2,x;y\n3,4,z;w\n"), 0), ["1", "2", "x;y"]);
        let with_units = read("length, cm;width, cm\n1,5;2,5\n3,5;4,5\n5,5;6,5\n").unwrap();
        assert_eq!(with_units.columns(), ["length, cm", "width, cm"]);
        let uneven = refusal("a;b;y\n1;2;no\n1;2\n");
        assert_eq!(uneven, "line 3 has 2 cells, the header has 3 (separated by semicolons): correct the line");
    }

    #[test]
    fn the_separator_that_a_spreadsheet_declares_is_used() {
        for text in ["sep=;\na;b;y\n1;2;no\n", "\"sep=;\"\r\na;b;y\r\n1;2;no\r\n", "SEP=;\n\na;b;y\n1;2;no"] {
            let table = read(text).unwrap();
            assert_eq!((table.columns().len(), row(&table, 0)), (3, vec!["1", "2", "no"]), "{text:?}");
        }
        assert_eq!(read("sep=;\na;b;y\n1;2;no\n").unwrap().line(0), 3);
        let one_column = read("sep=;\na,b\n1,5\n").unwrap();
        assert_eq!(one_column.columns(), ["a,b"]);
        assert!(refusal("sep=^\na^b\n1^2\n").starts_with("the columns are separated by `^`: save"));
        assert_eq!(read("sep=x,y\n1,2\n").unwrap().columns(), ["sep=x", "y"]);
    }

    #[test]
    fn separators_that_are_not_read_are_named() {
        let cases = [
            ("a b y\n1.5 2.5 no\n", "spaces"),
            ("   a     b   y\n 1.5   2.5  no\n10.5   2.5 yes\n", "spaces"),
            ("a:b:y\n1:2:no\n", "colons"),
            ("a^b^y\n1^2^no\n", "`^`"),
            ("a~b~y\n1~2~no\n", "`~`"),
            ("a，b，y\n1，2，no\n", "`，`"),
        ];
        for (text, name) in cases {
            assert_eq!(read(text), Err(TableError::Separator(name.into())), "{text}");
        }
        assert!(read("a\nsome words\nof text here\n").is_ok());
    }

    #[test]
    fn ragged_rows_are_named_with_their_line() {
        let long = format!("a,b\n{}\n1,2,3\n", "1,2\n".repeat(200));
        assert_eq!(refusal(long), "line 203 has 3 cells, the header has 2 (separated by commas): correct the line");
    }

    #[test]
    fn lines_end_in_three_ways_and_empty_ones_are_left_out() {
        for text in ["a,b\n1,2\n\n3,4\n", "a,b\r\n1,2\r\n  \r\n3,4", "a,b\r1,2\r\r3,4\r", "\n\na,b\n1,2\n3,4\n\n"] {
            let table = read(text).unwrap();
            assert_eq!((row(&table, 0), row(&table, 1)), (vec!["1", "2"], vec!["3", "4"]), "{text:?}");
        }
        assert_eq!(read("a,b\r1,2\r\r3,4\r").unwrap().line(1), 4);
    }

    #[test]
    fn unnamed_columns_of_spreadsheets_are_allowed() {
        let table = read("a,b,,\n1,2,,\n").unwrap();
        assert_eq!(row(&table, 0), ["1", "2", "", ""]);
        assert_eq!(read(",,\n1,2,3\n"), Err(TableError::Empty));
    }

    #[test]
    fn encodings_with_a_mark_are_read() {
        let text = "a,b,ort\n1,2,Köln\n";
        let expected = read(text).unwrap();
        let little = [&[0xFF, 0xFE][..], &utf16(text, u16::to_le_bytes)].concat();
        let big = [&[0xFE, 0xFF][..], &utf16(text, u16::to_be_bytes)].concat();
        let marked = format!("\u{FEFF}{text}").into_bytes();
        for bytes in [little, big, marked] {
            assert_eq!(read(bytes).unwrap(), expected);
        }
        assert_eq!(read([0xFF, 0xFE, b'a']), Err(TableError::Utf16));
        assert_eq!(read(utf16(text, u16::to_le_bytes)), Err(TableError::Nul(1)), "no mark");
        assert_eq!(read("a,b\n1,2\n3,\0\n"), Err(TableError::Nul(3)));
    }

    #[test]
    fn windows_1252_is_read_in_texts_and_refused_in_names() {
        let table = read(b"a,b,ort\n1,2,K\xF6ln \x80\n").unwrap();
        assert_eq!(row(&table, 0), ["1", "2", "Köln €"]);
        let name = refusal(b"a,gr\xF6\xDFe\n1,2\n");
        assert!(name.starts_with("line 1: byte 0xF6 is not UTF-8, and a column's name"), "{name}");
        let undefined = refusal(b"a,b\n1,2\n3,\x81\n");
        assert!(undefined.starts_with("line 3: byte 0x81"), "{undefined}");
        assert!(matches!(read(b"a,b\n1,\x01\xF6\n"), Err(TableError::Encoding { line: 2, byte: 1, .. })));
    }

    #[test]
    fn packed_files_are_unpacked_within_the_limit_or_named() {
        let text = b"a,b\n1,2\n";
        assert_eq!(read(gzip(text)).unwrap(), read(text).unwrap());
        let twice = [gzip(b"a,b\n"), gzip(b"1,2\n")].concat();
        assert_eq!(read(twice).unwrap(), read(text).unwrap());
        let bomb = gzip(&vec![b'1'; 1 << 20]);
        let limits = TableLimits { bytes: 1 << 16, ..TableLimits::default() };
        assert!(bomb.len() < 1 << 16);
        assert_eq!(read_csv(&bomb, &limits), Err(TableError::TooManyBytes(1 << 16)));
        let packed = gzip(text);
        assert!(matches!(read(&packed[..packed.len() - 9]), Err(TableError::Gzip(_))));
        assert!(refusal(b"PK\x03\x04rest").contains("zip archive"));
        assert!(refusal(gzip(b"PK\x03\x04rest")).contains("zip archive"));
        assert!(refusal(b"PAR1\x15\x04rest").contains("Parquet"));
        assert!(refusal(gzip(&gzip(text))).contains("gzip twice"));
        let tar = [b"data.csv".as_slice(), &[0; 249], b"ustar\x0000", &[0; 248]].concat();
        assert!(refusal(&tar).contains("tar archive"));
        assert!(refusal(gzip(&tar)).contains("tar archive"));
        assert!(refusal("\u{FEFF}\n<!DOCTYPE html>\n<p>404, not found</p>").contains("HTML"));
        assert!(refusal("{\"a\": 1, \"b\": 2}\n").contains("JSON"));
        assert!(refusal("[\n  {\"a\": 1, \"b\": 2}\n]\n").contains("JSON"));
        assert!(refusal("@relation iris\n@attribute a numeric\n").contains("ARFF"));
        assert_eq!(read("[kg],{m},<s>\n1,2,3\n").unwrap().columns(), ["[kg]", "{m}", "<s>"]);
        let named = read("PAR1,PAR2,y\n1,2,no\n").unwrap();
        assert_eq!(named.columns(), ["PAR1", "PAR2", "y"], "a name may begin as a kind of file does");
    }

    #[test]
    fn decimal_commas_count_where_they_can_be_nothing_else() {
        let commas = |text: &str| read(text).unwrap().has_decimal_commas(&[0, 1]);
        assert!(commas("a;b;y\n1,68;1,17;no\n0,59;7;yes\n"));
        assert!(commas("a;b\n1,234;0,5\n"), "the file's other commas decide");
        assert!(!commas("a;b\n1,234;2\n"), "it may be a thousand");
        assert!(!commas("a;b\n1,68;1.17\n"), "both cannot be");
        assert!(!commas("a;b\n1,68;1,2,3\n"));
        assert!(!commas("a,b\n1.68,1.17\n"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(cells in prop::collection::vec("[a-c \",;\t\n|é]{0,6}", 1..40), columns in 1usize..4) {
            let rows: Vec<Vec<String>> = cells.chunks_exact(columns).map(|row| row.iter().map(|cell| cell.trim().to_owned()).collect()).collect();
            prop_assume!(!rows.is_empty());
            let mut table = Table { columns: (0..columns).map(|n| format!("x{n}")).collect(), text: String::new(), ends: Vec::new(), lines: Vec::new(), has_commas: false };
            for row in &rows {
                for cell in row {
                    table.text.push_str(cell);
                    table.ends.push(u32::try_from(table.text.len()).unwrap());
                }
                table.lines.push(0);
            }
            let read = read_csv_with(table.to_csv().as_bytes(), &Header::FirstLine, &TableLimits::default()).unwrap();
            prop_assert_eq!(read.columns, table.columns);
            prop_assert_eq!((read.text, read.ends), (table.text, table.ends));
        }
    }
}
