//! What the documentation points at exists.

use std::{
    fs,
    path::{Path, PathBuf},
};

use sonar_protocol::refusal::Refusal;

fn pages(root: &Path) -> Vec<PathBuf> {
    let markdown = |directory: PathBuf| {
        let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    };
    markdown(root.to_owned()).chain(markdown(root.join("docs"))).chain(markdown(root.join("data"))).collect()
}

/// The targets of `](…)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// Codes are on the chain, and whoever finds one looks it up.
#[test]
fn the_protocol_says_what_each_refusal_means() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/protocol.md")).unwrap();
    for refusal in (1..).map_while(|code| Refusal::try_from(code).ok()) {
        let row = format!("| {} | {refusal} |", refusal.code());
        assert!(page.contains(&row), "{row}");
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = pages(&root);
    assert!(pages.len() > 3, "{pages:?}");
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let target = link.split('#').next().unwrap_or_default();
            let path = page.parent().unwrap().join(target);
            assert!(path.exists(), "{} links to {link}, which is not there", page.display());
        }
    }
}
