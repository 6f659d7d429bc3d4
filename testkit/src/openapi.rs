//! The committed OpenAPI documents, from which the pages' clients are generated.

use std::{env, fs, path::Path};

/// Checks that `ui/openapi/NAME.json` is the document of a program. With `UPDATE_OPENAPI=1`, writes it instead.
pub fn check(name: &str, document: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ui/openapi").join(format!("{name}.json"));
    let document = format!("{}\n", document.trim_end());
    if env::var_os("UPDATE_OPENAPI").is_some_and(|value| value == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, document).unwrap();
        return;
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let is_same = committed == document;
    assert!(
        is_same,
        "{} is out of date: run this test with UPDATE_OPENAPI=1, then `npm run api` in ui/",
        path.display()
    );
}
