//! The main job, from launch to payout.

use localnet::{demo::DemoConfig, report::DemoReport};
use sonar_contracts::{CloseReason, payout};
use sonar_protocol::regime::Regime;
use syft::{Grid, Ppm};

use crate::support::{config, digits, run, seeded};

/// Two runs differ by so much from one to the next, encrypted or not, because updates are rounded at random. Near a boundary of the grid that
/// decides whether an update counts, and so what later ones are tried on: the ends can differ by a step or two in addition.
const NOISE_PPM: u32 = 3_000;

/// What holds for every campaign that ran.
pub fn check(report: &DemoReport) {
    assert!(report.balances(), "money is missing: {report:#?}");
    assert_eq!(report.owed, 0u128.into(), "all miners have withdrawn");
    let grid = Grid::new(report.grid_ppm.get()).unwrap();
    assert_eq!(
        report.final_accuracy_ppm.floor_to_grid(grid),
        report.attested_accuracy_ppm,
        "the attested accuracy is that of the delivered model, on the grid"
    );
    match report.regime {
        Regime::Encrypted => {
            let clear = report.clear_accuracy_ppm.unwrap().get();
            let difference = report.final_accuracy_ppm.get().abs_diff(clear);
            assert!(difference <= 2 * grid.ppm() + NOISE_PPM, "encrypted and clear differ by {difference} ppm");
            assert!(report.seconds.encrypt_model.unwrap() > 0.0);
        }
        Regime::Clear => assert_eq!((report.clear_accuracy_ppm, report.seconds.encrypt_model), (None, None)),
    }
    assert!(matches!(report.close_reason, CloseReason::Target | CloseReason::Owner | CloseReason::Limit));
    check_payouts(report);
    check_costs(report);
}

/// Every payout is the formula's, and together they are what was paid and what the miners earned.
fn check_payouts(report: &DemoReport) {
    let bounty: u128 = report.bounty.to_string().parse().unwrap();
    let mut best = report.start_accuracy_ppm.get();
    let mut paid = 0;
    for pay in &report.payouts {
        let (target, delta) = (report.target_accuracy_ppm.get(), pay.accuracy_delta_ppm.get());
        let amount = payout(bounty, target, best, best + delta);
        assert_eq!(pay.amount, amount.into(), "{pay:?} after {best}");
        best += delta;
        paid += amount;
    }
    assert_eq!(report.paid, paid.into());
    assert_eq!(best, report.attested_accuracy_ppm.min(report.target_accuracy_ppm).get());
    for miner in &report.miners {
        let own = report.payouts.iter().filter(|pay| pay.miner == miner.address);
        let sum = own.fold(0u128.into(), |sum: sonar_protocol::units::Amount, pay| sum.saturating_add(pay.amount));
        assert_eq!(miner.earned, sum);
    }
}

fn check_costs(report: &DemoReport) {
    assert!(report.gas.submit <= 60_000, "{:?}", report.gas);
    assert!(report.gas.open <= 220_000, "{:?}", report.gas);
    assert!(report.leak_bits > 0.0 && report.leak_bits <= 384.0);
    assert!(report.bytes_down_per_mine > 0 && report.bytes_up_per_update > 0);
    let seconds = &report.seconds;
    for measured in [seconds.total, seconds.train_per_update, seconds.evaluate_per_update] {
        assert!(measured > 0.0, "{seconds:?}");
    }
}

#[test]
fn five_mines_learn_digits_that_nobody_shows() {
    let report = digits();
    check(report);
    assert!(report.start_accuracy_ppm.get() <= 150_000);
    assert_eq!(report.warnings, [""; 0]);
    assert!(report.final_accuracy_ppm.get() >= 920_000, "{}", report.final_accuracy_ppm);
    let saved = std::fs::read_to_string(report.model.with_file_name("report.json")).unwrap();
    let saved: serde_json::Value = serde_json::from_str(&saved).unwrap();
    assert!(saved["bounty"].is_string() && saved["payouts"][0]["amount"].is_string());
}

#[test]
fn three_mines_learn_to_tell_tumours() {
    let report = run(&config("breast-cancer", 3, "breast-cancer"));
    check(&report);
    assert!(report.final_accuracy_ppm.get() >= 930_000, "{}", report.final_accuracy_ppm);
    assert!(report.warnings.iter().any(|warning| warning.contains("cannot be called secret")), "{:?}", report.warnings);
}

#[test]
fn two_mines_learn_to_foretell_a_disease_and_are_paid_by_explained_variance() {
    let data = seeded("diabetes", 3, "diabetes-data");
    let report = run(&DemoConfig { data, ..config("diabetes", 2, "diabetes") });
    check(&report);
    assert_eq!((report.start_accuracy_ppm, report.target_accuracy_ppm), (Ppm::ZERO, Ppm::of(45, 100)));
    assert_eq!(report.close_reason, CloseReason::Target);
    assert!(report.payouts.len() > 1, "{:?}", report.payouts);
    assert_eq!(report.warnings, [""; 0]);
}
