//! Untrusted texts: names, descriptions, columns, classes, endpoints, errors of nodes.
//!
//! Terminals execute control characters, bidirectional marks change the visible order of a text, and two names that
//! differ in an invisible character look the same. These are refused where a text is read ([`check_line`],
//! [`check_lines`]), and escaped where any text is printed ([`escape`], [`escape_json`]). Pages and
//! spreadsheets obey other characters ([`escape_markup`], [`is_formula`]).

use std::{borrow::Cow, fmt::Write as _};

/// A text with an invisible or control character.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place} contains the invisible character U+{:04X}: remove it", u32::from(*.character))]
pub struct TextError {
    /// Name of the text.
    pub place: String,
    /// The first such character.
    pub character: char,
}

/// Whether a character moves the cursor, changes colours, reorders the text around it, or is invisible. Includes line
/// ends and tabs, but not the joiners of Persian, of Indian scripts and of emoji.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// As [`is_obeyed`], without the line ends and tabs of a multi-line text.
fn is_obeyed_in_lines(c: char) -> bool {
    is_obeyed(c) && c != '\n' && c != '\t'
}

/// Checks a text of one line, such as a name.
///
/// # Errors
/// Control characters, line ends, and bidirectional overrides.
pub fn check_line(place: impl Into<String>, text: &str) -> Result<(), TextError> {
    check(place, text.chars().find(|&c| is_obeyed(c)))
}

/// Checks a text of several lines, such as a description.
///
/// # Errors
/// Control characters except line ends and tabs, and bidirectional overrides.
pub fn check_lines(place: impl Into<String>, text: &str) -> Result<(), TextError> {
    check(place, text.chars().find(|&c| is_obeyed_in_lines(c)))
}

fn check(place: impl Into<String>, found: Option<char>) -> Result<(), TextError> {
    found.map_or(Ok(()), |character| Err(TextError { place: place.into(), character }))
}

/// Escapes a text for people: control characters become visible, such as `\u{1b}`; line ends and tabs stay.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    escape_with(text, |escaped, c| write!(escaped, "\\u{{{:x}}}", u32::from(c)))
}

/// Escapes a JSON document without changing its content. JSON allows control characters only within strings.
#[must_use]
pub fn escape_json(document: &str) -> Cow<'_, str> {
    escape_with(document, |escaped, c| {
        c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(escaped, "\\u{unit:04x}"))
    })
}

fn escape_with(text: &str, escape: impl Fn(&mut String, char) -> std::fmt::Result) -> Cow<'_, str> {
    if !text.contains(is_obeyed_in_lines) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_obeyed_in_lines(c) {
            // Writing to a string cannot fail.
            let _ = escape(&mut escaped, c);
        } else {
            escaped.push(c);
        }
    }
    escaped.into()
}

/// Escapes a text for content and quoted attributes of XML, SVG and HTML. Characters that XML 1.0 does not allow are replaced.
#[must_use]
pub fn escape_markup(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| markup(c).is_some()) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match markup(c) {
            Some(replacement) => escaped.push_str(replacement),
            None => escaped.push(c),
        }
    }
    escaped.into()
}

fn markup(c: char) -> Option<&'static str> {
    Some(match c {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\t' | '\n' | '\r' => return None,
        '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => "\u{FFFD}",
        _ => return None,
    })
}

/// Characters at the start of a cell that make a spreadsheet evaluate it; some read the wide forms too.
pub const FORMULA: [char; 10] = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];

/// Whether a spreadsheet evaluates a cell with this text. A formula of a stranger can send them the other cells.
#[must_use]
pub fn is_formula(cell: &str) -> bool {
    cell.starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_terminals_obey_is_refused_with_its_place() {
        for text in [
            "\u{1b}[2J",
            "a\u{7}",
            "a\u{7f}",
            "a\u{9b}31m",
            "pay \u{202e}evil\u{202c}",
            "\u{2066}a",
            "a\rb",
            "\u{200f}a",
            "zero\u{200b}width",
            "\u{feff}a",
            "tag\u{e0041}",
        ] {
            assert!(check_line("the name", text).is_err(), "{text:?}");
            assert!(check_lines("the description", text).is_err(), "{text:?}");
        }
        let error = check_line("class 3", "\u{1b}[31mred").unwrap_err().to_string();
        assert!(error.starts_with("class 3 contains the invisible character U+001B"), "{error}");
        for text in ["a\nb", "a\tb", "a\u{2028}b"] {
            assert!(check_line("the name", text).is_err(), "{text:?}");
        }
        check_lines("the description", "two\nlines\tand a tab").unwrap();
        for text in ["", "Größe", "年齢", "גיל", "العمر", "naïve 👩‍🔬", "می\u{200c}خواهم", "`a` \"b\""]
        {
            check_line("the name", text).unwrap();
        }
    }

    #[test]
    fn what_terminals_obey_is_shown_instead() {
        assert_eq!(escape("b\u{1b}[31m\n\u{202e}x\u{9b}"), "b\\u{1b}[31m\n\\u{202e}x\\u{9b}");
        assert!(matches!(escape("two\nlines\tand a tab"), Cow::Borrowed(_)));
    }

    #[test]
    fn markup_and_forbidden_characters_are_escaped() {
        assert_eq!(escape_markup("plain ≤ 5 %"), "plain ≤ 5 %");
        assert_eq!(escape_markup("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
        assert_eq!(escape_markup("\" onload=\"x&y"), "&quot; onload=&quot;x&amp;y");
        assert_eq!(escape_markup("a\0b\u{1b}c\u{FFFF}\n"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}\n");
        assert_eq!(escape_markup("]]>"), "]]&gt;");
    }

    #[test]
    fn what_spreadsheets_evaluate_is_known_by_its_first_character() {
        for cell in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠A"] {
            assert!(is_formula(cell), "{cell:?}");
        }
        for cell in ["", "1+1", "a=1", " =1", "0x3d"] {
            assert!(!is_formula(cell), "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn an_escaped_document_has_the_same_content(text in "[\\x00-\\x7f\u{80}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{e0041}äé👩]{0,30}") {
            let document = serde_json::json!({ "text": text });
            let escaped = escape_json(&document.to_string()).into_owned();
            prop_assert!(!escaped.contains(is_obeyed), "{:?}", escaped);
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), document);
        }
    }
}
