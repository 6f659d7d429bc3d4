//! Text in XML and SVG.

use std::borrow::Cow;

/// Escapes a text for content and for quoted attributes. Characters that XML 1.0 does not allow are replaced.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(|c| replacement(c).is_some()) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match replacement(c) {
            Some(replacement) => escaped.push_str(replacement),
            None => escaped.push(c),
        }
    }
    escaped.into()
}

fn replacement(c: char) -> Option<&'static str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_forbidden_characters_are_escaped() {
        assert_eq!(escape("plain ≤ 5 %"), "plain ≤ 5 %");
        assert_eq!(escape("<script>alert('1')</script>"), "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;");
        assert_eq!(escape("\" onload=\"x&y"), "&quot; onload=&quot;x&amp;y");
        assert_eq!(escape("a\0b\u{1b}c\u{FFFF}\n"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}\n");
        assert_eq!(escape("]]>"), "]]&gt;");
    }
}
