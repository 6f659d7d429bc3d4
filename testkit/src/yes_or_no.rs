//! A campaign for the tests of several crates: is `a` above `b`? They include this file by its path, because no crate
//! depends on the tests of another.

/// The campaign file, with these limits.
pub fn campaign(limits: &str) -> String {
    format!(
        r#"
name = "Yes or no"
description = "Is a above b?"
deadline = "2d"
inputs = [{{ name = "a", min = 0, max = 1 }}, {{ name = "b", min = 0, max = 1 }}]
[task]
kind = "classification"
target = "y"
classes = ["no", "yes"]
[validation]
file = "validation.csv"
[reward]
bounty = "1"
[accuracy]
start = 0.5
target = 1.0
grid = 0.25
[limits]
{limits}
window_seconds = 60
"#
    )
}

/// Rows with an obvious class, in equal numbers of both classes.
pub fn csv(rows: u32) -> String {
    let line = |row: u32| {
        let (a, b) = (row * 37 % 100, row * 61 % 100 + 1);
        let (a, b) = if row.is_multiple_of(2) == (a > b) { (a, b) } else { (b, a) };
        let class = if a > b { "yes" } else { "no" };
        format!("{},{},{class}\n", f64::from(a) / 101.0, f64::from(b) / 101.0)
    };
    format!("a,b,y\n{}", (0..rows).map(line).collect::<String>())
}
