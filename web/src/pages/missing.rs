//! The page of a program that was built without the pages.

const PAGE: &str = include_str!("missing.html");

/// The page, with the nonce of its style.
pub fn page(nonce: &str) -> String {
    PAGE.replace("NONCE", nonce)
}
