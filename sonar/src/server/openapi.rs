//! The committed OpenAPI document, from which the pages' client is generated.

use super::api::documented;

#[test]
fn the_committed_document_is_that_of_this_program() {
    let (_, document) = documented().split_for_parts();
    testkit::openapi::check("public", &document.to_pretty_json().unwrap());
}
