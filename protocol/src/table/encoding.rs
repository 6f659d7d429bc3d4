//! Decodes a file's bytes to text: gzip, byte order marks, and Windows-1252 where UTF-8 fails.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;

use super::TableError;

/// Magic bytes of files that users confuse with tables, or pack tables in.
const KINDS: [(&[u8], &str); 16] = [
    (b"PK\x03\x04", "a zip archive or a spreadsheet (.xlsx, .ods)"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\xD0\xCF\x11\xE0", "a spreadsheet (.xls)"),
    (b"BZh", "compressed with bzip2"),
    (b"\xFD7zXZ\x00", "compressed with xz"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive"),
    (b"\x28\xB5\x2F\xFD", "compressed with zstd"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF document"),
    (GZIP, "compressed with gzip twice"),
    (b"Rar!\x1A\x07", "a RAR archive"),
    (b"\x1F\x9D", "compressed with compress"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy file"),
    (b"ARROW1", "an Arrow file"),
    (b"SQLite format 3", "an SQLite database"),
];
const GZIP: &[u8] = b"\x1F\x8B";
/// Position of the magic bytes of a tar archive.
const TAR: (usize, &[u8]) = (257, b"ustar");

/// Windows-1252 from 0x80 to 0x9F; `\0` for undefined bytes.
const WINDOWS: [char; 32] = [
    '€', '\0', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\0', 'Ž', '\0', '\0', '‘', '’', '“', '”', '•',
    '–', '—', '˜', '™', 'š', '›', 'œ', '\0', 'ž', 'Ÿ',
];

/// Decoded text, with the original bytes if their encoding was guessed.
#[derive(Debug)]
pub struct Text<'b> {
    pub text: Cow<'b, str>,
    pub guessed_from: Option<Cow<'b, [u8]>>,
}

/// Decodes a file of at most `limit` bytes when unpacked.
pub fn text(bytes: &[u8], limit: u64) -> Result<Text<'_>, TableError> {
    if !bytes.starts_with(GZIP) {
        return decode(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    MultiGzDecoder::new(bytes)
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|error| TableError::Gzip(error.to_string()))?;
    if unpacked.len() as u64 > limit {
        return Err(TableError::TooManyBytes(limit));
    }
    decode(Cow::Owned(unpacked))
}

fn decode(bytes: Cow<'_, [u8]>) -> Result<Text<'_>, TableError> {
    if let Some(kind) = binary_kind(&bytes).or_else(|| text_kind(&bytes)) {
        return Err(TableError::Kind(kind));
    }
    let certain = |text| Ok(Text { text, guessed_from: None });
    match *bytes {
        [0xEF, 0xBB, 0xBF, ..] => {}
        [0xFF, 0xFE, ref rest @ ..] => return certain(utf16(rest, u16::from_le_bytes)?.into()),
        [0xFE, 0xFF, ref rest @ ..] => return certain(utf16(rest, u16::from_be_bytes)?.into()),
        _ => {}
    }
    let text = match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Cow::Borrowed(bytes)),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|error| Cow::Owned(error.into_bytes())),
    };
    match text {
        Ok(Cow::Borrowed(text)) => certain(text.strip_prefix('\u{FEFF}').unwrap_or(text).into()),
        Ok(Cow::Owned(text)) => certain(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text).into()),
        Err(bytes) => {
            let text = windows(&bytes)?;
            Ok(Text { text: text.into(), guessed_from: Some(bytes) })
        }
    }
}

/// The kind of a binary file, if known. `PAR1` and `BZh` may also be names of columns.
fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    let (at, mark) = TAR;
    let is_tar = bytes.get(at..).is_some_and(|rest| rest.starts_with(mark));
    let start = KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    let kind = start.or(is_tar.then_some("a tar archive"))?;
    std::str::from_utf8(bytes).map_or(true, |text| text.contains(is_binary)).then_some(kind)
}

/// The kind of a text that servers and programs return instead of CSV, if known.
fn text_kind(bytes: &[u8]) -> Option<&'static str> {
    let start: Vec<u8> =
        bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start().iter().take(64).copied().collect();
    let start = start.to_ascii_lowercase();
    let starts = |with: &str| start.starts_with(with.as_bytes());
    let after_bracket = start.get(1..).unwrap_or_default().trim_ascii_start().first();
    match start.first() {
        Some(b'<') if ["<!doctype", "<html", "<?xml"].into_iter().any(starts) => Some("an HTML or XML document"),
        Some(b'{') if matches!(after_bracket, Some(b'"' | b'}')) => Some("a JSON document"),
        Some(b'[') if matches!(after_bracket, Some(b'{' | b'[')) => Some("a JSON document"),
        Some(b'@') if starts("@relation") => Some("an ARFF file"),
        _ => None,
    }
}

/// Whether a character never occurs in text.
fn is_binary(c: char) -> bool {
    c.is_ascii_control() && !c.is_ascii_whitespace()
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, TableError> {
    let units = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(unit).map_err(|_| TableError::Utf16));
    let units: Vec<u16> = units.collect::<Result<_, _>>()?;
    String::from_utf16(&units).map_err(|_| TableError::Utf16)
}

/// Decodes Windows-1252, which includes the printable part of Latin-1. Bytes that never occur in text mean another
/// encoding.
fn windows(bytes: &[u8]) -> Result<String, TableError> {
    let mut line = 1;
    let mut text = String::with_capacity(bytes.len() + bytes.len() / 8);
    for &byte in bytes {
        let letter = match byte {
            0x80..=0x9F => WINDOWS[usize::from(byte - 0x80)],
            other => char::from(other),
        };
        match letter {
            '\0' if byte == 0 => return Err(TableError::Nul(line)),
            '\t' | '\r' | '\u{C}' => {}
            '\n' => line += 1,
            '\0'..' ' => return Err(TableError::Encoding { line, byte, place: "a byte that never occurs in text" }),
            _ => {}
        }
        text.push(letter);
    }
    Ok(text)
}

/// Checks that a part of a text was not guessed.
pub fn guessed(bytes: &[u8], text: &str, part: &str, place: &'static str) -> TableError {
    let line = text.find(part).map_or(1, |at| super::records::line_of(text, at));
    let byte = *bytes.iter().find(|byte| !byte.is_ascii()).expect("without such bytes the text would be UTF-8");
    TableError::Encoding { line, byte, place }
}
