//! Our accountant against two others, on a published table of cases.

use std::fs;
use std::path::Path;
use syft::privacy::Rdp;

#[test]
fn the_accountant_agrees_with_opacus_and_dp_accounting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/privacy/cases.csv");
    let text = fs::read_to_string(path).unwrap();
    let cases: Vec<Vec<f64>> =
        text.lines().skip(1).map(|line| line.split(',').map(|number| number.parse().unwrap()).collect()).collect();
    assert!(cases.len() >= 20);
    for case in cases {
        let &[number, multiplier, rate, steps, delta, opacus, dp_accounting] = &case[..] else { panic!("{case:?}") };
        let curve = Rdp::subsampled_gaussian(rate, multiplier).unwrap().times(steps as u64);
        let epsilon = curve.epsilon(delta).unwrap();
        println!("case {number}: ours {epsilon:.6}, opacus {opacus}, dp-accounting {dp_accounting}");
        for theirs in [opacus, dp_accounting] {
            assert!((epsilon / theirs - 1.0).abs() < 0.01, "case {number}: {epsilon} and {theirs}");
        }
    }
}
