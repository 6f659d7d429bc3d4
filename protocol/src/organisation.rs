//! The organisation that a campaign's owner names. It is a text of the owner: nothing verifies it, and programs that
//! show it say so.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::text::{self, TextError};

/// Maximum number of characters of a name.
const MAX_NAME: usize = 100;
/// Maximum number of bytes of a link.
const MAX_LINK: usize = 300;

/// An organisation, as the owner of a campaign names it: unverified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Organisation {
    /// Its name.
    pub name: String,
    /// A web page about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

/// Why an organisation cannot be named like this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrganisationError {
    /// The name has a control character.
    #[error(transparent)]
    Characters(#[from] TextError),
    /// The name is empty or too long.
    #[error("organisation.name has {0} characters; write 1 to {MAX_NAME}, without spaces at its ends")]
    Name(usize),
    /// The link is not one that a browser can follow safely.
    #[error("organisation.link is not a link: {0}")]
    Link(&'static str),
}

impl Organisation {
    /// Checks an untrusted organisation: a printable name of one line, and a web link that shows where it leads.
    ///
    /// # Errors
    /// Names the field and what is wrong.
    pub fn check(&self) -> Result<(), OrganisationError> {
        text::check_line("organisation.name", &self.name)?;
        let length = self.name.chars().count();
        if !(1..=MAX_NAME).contains(&length) || self.name.trim() != self.name {
            return Err(OrganisationError::Name(length));
        }
        self.link.as_deref().map_or(Ok(()), |link| check_link(link).map_err(OrganisationError::Link))
    }
}

/// A link of http or https without a user name, in ASCII, so that the host that is read is the one that is visited.
fn check_link(link: &str) -> Result<(), &'static str> {
    if link.len() > MAX_LINK {
        return Err("it has more than 300 characters");
    }
    let rest = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"));
    let rest = rest.ok_or("it must start with https:// or http://")?;
    let is_plain =
        |c: u8| c.is_ascii_graphic() && !matches!(c, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}');
    if !rest.bytes().all(is_plain) {
        return Err("write other characters than letters, digits and punctuation as %XX, and a host in its ASCII form");
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if host.contains('@') {
        return Err("it must not contain a user name");
    }
    let (name, port) = host.split_once(':').unwrap_or((host, "443"));
    let is_label = |label: &str| {
        !label.is_empty() && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-') && !label.starts_with('-')
    };
    let is_port = port.parse::<u16>().is_ok_and(|port| port > 0) && port.bytes().all(|c| c.is_ascii_digit());
    if name.split('.').all(is_label) && is_port { Ok(()) } else { Err("its host is not a name such as example.org") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, link: Option<&str>) -> Result<(), OrganisationError> {
        Organisation { name: name.into(), link: link.map(Into::into) }.check()
    }

    #[test]
    fn names_and_links_that_people_write_are_accepted() {
        for name in ["Hospital of Ulm", "A", "東京病院", "Müller & Söhne GmbH", "\"Quoted\" <Ltd.>", &"x".repeat(100)]
        {
            check(name, None).unwrap();
        }
        for link in [
            "https://example.org",
            "http://127.0.0.1:8080/",
            "https://www.example.org/a/b.html?c=d&e=%20f#g",
            "https://xn--bcher-kva.example/",
            "https://example.org/~user/",
        ] {
            check("A", Some(link)).unwrap_or_else(|error| panic!("{link}: {error}"));
        }
    }

    #[test]
    fn what_misleads_or_runs_is_refused_with_its_place() {
        for name in ["", " ", "A ", "two\nlines", "\u{1b}[2J", "pay \u{202e}evil", &"x".repeat(101)] {
            let error = check(name, None).unwrap_err().to_string();
            assert!(error.starts_with("organisation.name"), "{name:?}: {error}");
        }
        for link in [
            "",
            "example.org",
            "javascript:alert(1)",
            "data:text/html,x",
            "ftp://example.org",
            "HTTPS://example.org",
            "https://",
            "https:///path",
            "https://bank.example@evil.example/",
            "https://exa mple.org",
            "https://bücher.example",
            "https://example.org/\"onclick=",
            "https://example.org/<script>",
            "https://example.org:0/",
            "https://example.org:99999/",
            "https://example..org/",
            "https://-a.example/",
            "https://example.org\\@evil.example",
            &format!("https://example.org/{}", "x".repeat(300)),
        ] {
            let error = check("A", Some(link)).unwrap_err().to_string();
            assert!(error.starts_with("organisation.link is not a link: "), "{link}: {error}");
        }
    }

    proptest! {
        /// Whatever is accepted can stand in an attribute and leads to a web server.
        #[test]
        fn an_accepted_link_is_a_plain_web_link(link in "(https?://)?[a-z0-9.:@/?#%\"<>&' \u{e9}\u{202e}\\-]{0,30}") {
            if check("A", Some(&link)).is_ok() {
                prop_assert!(link.starts_with("http://") || link.starts_with("https://"));
                prop_assert!(!link.contains(['"', '<', '>', ' ', '\\']) && link.is_ascii());
                let host = link.split("//").nth(1).unwrap().split(['/', '?', '#']).next().unwrap();
                prop_assert!(!host.is_empty() && !host.contains('@'));
            }
        }

        #[test]
        fn no_text_makes_the_check_panic(name in "\\PC{0,120}", link in "\\PC{0,40}|https?://\\PC{0,40}") {
            let _ = check(&name, Some(&link));
        }
    }
}
