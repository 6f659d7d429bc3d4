//! Compiles the crate again when the pages were built again.

fn main() {
    // A missing folder would make Cargo run this, and compile all programs, at every build. Where it cannot be made,
    // builds are only slower.
    let _ = std::fs::create_dir_all("../ui/dist");
    if !std::path::Path::new("../ui/dist/index.html").exists() {
        println!("cargo::warning=the pages are not built: run `make ui`, then build again");
    }
    println!("cargo::rerun-if-changed=../ui/dist");
    println!("cargo::rerun-if-changed=build.rs");
}
