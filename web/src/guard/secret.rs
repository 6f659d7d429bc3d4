//! Random secrets: launch tokens and session ids.

use std::fmt;

use subtle::ConstantTimeEq;

/// 256 random bits, compared in constant time and never printed by accident.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub fn random() -> Self {
        Self(format!("{:032x}{:032x}", rand::random::<u128>(), rand::random::<u128>()))
    }

    pub fn matches(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The text, for the file of the owner and for `Set-Cookie`.
    pub fn reveal(&self) -> String {
        self.0.clone()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_matches_only_itself() {
        let (one, other) = (Secret::random(), Secret::random());
        assert_eq!(one.reveal().len(), 64);
        assert!(one.matches(&one.reveal()));
        let text = one.reveal();
        for wrong in
            [&other.reveal(), "", &text[..63], &format!("{text}0"), &text.to_uppercase().replace(char::is_numeric, "A")]
        {
            assert!(!one.matches(wrong), "{wrong}");
        }
        assert!(!format!("{one:?}").contains(&text));
    }
}
