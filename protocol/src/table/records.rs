//! Splits a CSV text into records, strictly: a quote that is not closed, or is closed within a cell, is an error with
//! its line.

use std::{borrow::Cow, ops::Range};

use super::{Cell, TableError, is_missing, is_number, shorten};

/// Iterator over the records of a text. Lines end with `\n`, `\r\n` or `\r`; empty lines are skipped.
#[derive(Clone, Debug)]
pub struct Records<'t> {
    text: &'t str,
    separator: char,
    /// Maximum number of cells of a record that are kept.
    most: usize,
    at: usize,
    line: u64,
    failed: bool,
}

/// A record with its trimmed cells.
#[derive(Debug)]
pub struct CsvRecord<'t> {
    /// The kept cells.
    pub cells: Vec<Cell<'t>>,
    /// Number of cells.
    pub count: usize,
    /// Line in which it starts.
    pub line: u64,
    /// The quoted cells that span several lines, by index, and the line in which each starts.
    quoted_from: Vec<(usize, u64)>,
}

/// The line of a byte in a text, from 1.
pub fn line_of(text: &str, at: usize) -> u64 {
    1 + line_ends(&text[..at])
}

/// Number of line ends in a text.
fn line_ends(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let ends = bytes.iter().enumerate().filter(|&(at, &byte)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() as u64
}

impl<'t> Records<'t> {
    /// Iterates from an offset in the first line.
    pub fn new(text: &'t str, at: usize, separator: char, most: usize) -> Self {
        Self { text, separator, most, at, line: 1, failed: false }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// Skips a line end, if any.
    fn end_line(&mut self) -> bool {
        let rest = self.rest();
        let len = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with(['\r', '\n'])) };
        self.at += len;
        self.line += u64::from(len > 0);
        len > 0
    }

    /// Skips white space that is not a separator.
    fn skip_space(&mut self) {
        let separator = self.separator;
        let is_space = |c: char| c.is_whitespace() && c != separator && c != '\n' && c != '\r';
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_space).len();
    }

    /// Reads a cell up to its separator or line end.
    fn cell(&mut self) -> Result<Cell<'t>, TableError> {
        self.skip_space();
        if self.rest().starts_with('"') {
            return self.quoted();
        }
        let rest = self.rest();
        let ends = [self.separator, '\n', '\r'];
        let len = rest.find(ends).unwrap_or(rest.len());
        self.at += len;
        Ok(Cow::Borrowed(rest[..len].trim()))
    }

    fn quoted(&mut self) -> Result<Cell<'t>, TableError> {
        let opened = self.line;
        self.at += 1;
        let start = self.at;
        let mut has_escapes = false;
        loop {
            let len = self.rest().find('"').ok_or(TableError::UnclosedQuote(opened))?;
            self.at += len + 1;
            if !self.rest().starts_with('"') {
                break;
            }
            has_escapes = true;
            self.at += 1;
        }
        let inner = &self.text[start..self.at - 1];
        self.line += line_ends(inner);
        self.skip_space();
        let rest = self.rest();
        if !rest.is_empty() && !rest.starts_with([self.separator, '\n', '\r']) {
            let text = shorten(rest.split([self.separator, '\n', '\r']).next().unwrap_or_default().trim_end());
            return Err(TableError::AfterQuote { opened, line: self.line, text });
        }
        let inner = inner.trim();
        Ok(if has_escapes { Cow::Owned(inner.replace("\"\"", "\"")) } else { Cow::Borrowed(inner) })
    }

    fn record(&mut self) -> Result<Option<CsvRecord<'t>>, TableError> {
        loop {
            self.skip_space();
            if self.rest().is_empty() {
                return Ok(None);
            }
            if !self.end_line() {
                break;
            }
        }
        let mut record = CsvRecord { cells: Vec::new(), count: 0, line: self.line, quoted_from: Vec::new() };
        loop {
            let line = self.line;
            let cell = self.cell()?;
            if self.line > line {
                record.quoted_from.push((record.count, line));
            }
            record.count += 1;
            if record.count <= self.most {
                record.cells.push(cell);
            }
            if self.rest().is_empty() || self.end_line() {
                return Ok(Some(record));
            }
            self.at += self.separator.len_utf8();
        }
    }
}

impl<'t> Iterator for Records<'t> {
    type Item = Result<CsvRecord<'t>, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let record = self.record().transpose();
        self.failed = matches!(record, Some(Err(_)));
        record
    }
}

impl CsvRecord<'_> {
    /// First and last line of a quoted cell that contains whole rows: the quote was not closed in its line, and another
    /// quote, such as the inches of `5"`, closed it. One of its lines has the number of cells of a row, with numbers
    /// where this record has numbers, and at least one number; ordinary multi-line text does not.
    pub fn swallowed(&self, separator: char) -> Option<(u64, u64)> {
        self.quoted_from.iter().find_map(|&(place, opened)| {
            let text = self.cells.get(place)?;
            let lines: Vec<&str> = text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).collect();
            let last = lines.len().checked_sub(1)?;
            let is_row = |(index, line): (usize, &&str)| {
                // The first line starts with the quoted cell, and the last line ends with it.
                let columns = if index == 0 { place } else { 0 }..if index == last { place + 1 } else { self.count };
                self.is_like(columns, place, line, separator)
            };
            (last > 0 && lines.iter().enumerate().any(is_row)).then(|| (opened, opened + line_ends(text)))
        })
    }

    /// Whether a line looks like these columns of this record; the cell at `quoted` may have any content.
    fn is_like(&self, columns: Range<usize>, quoted: usize, line: &str, separator: char) -> bool {
        let cells: Vec<&str> = line.split(separator).map(str::trim).collect();
        let pairs = || {
            let own = columns.clone().filter_map(|column| Some((column, self.cells.get(column)?)));
            let pairs =
                own.zip(&cells).filter(|((column, _), _)| *column != quoted).map(|((_, own), cell)| (own, cell));
            pairs.filter(|(own, cell)| !is_missing(own) && !is_missing(cell))
        };
        cells.len() == columns.len()
            && pairs().all(|(own, cell)| is_number(own) == is_number(cell))
            && pairs().any(|(own, _)| is_number(own))
    }
}
