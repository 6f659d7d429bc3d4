//! The committed OpenAPI document, from which the pages' client is generated.

use std::{fs, path::PathBuf};

use super::api::documented;

/// Run with `UPDATE_OPENAPI=1` to write the document.
#[test]
fn the_committed_document_is_that_of_this_program() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../ui/openapi/public.json");
    let (_, document) = documented().split_for_parts();
    let present = document.to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &present).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == present, "ui/openapi/public.json is stale: run this test with UPDATE_OPENAPI=1");
}
