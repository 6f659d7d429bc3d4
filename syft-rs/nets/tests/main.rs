//! What users would notice of networks.

mod simulation;

use simulation::{Digits, campaign, default_schedule, network};
use syft_nets::{NetworkKind, Release};

/// Half of the digits, one window: the whole campaign is the example `mnist`.
#[test]
fn four_mines_teach_a_network_digits() {
    let (train, validation) = (Digits::read("train"), Digits::read("validation"));
    let mines: Vec<Digits> = (0..4).map(|mine| train.select((mine..4_000).step_by(4))).collect();
    let network = network(&NetworkKind::Cnn(vec![8, 16]), &validation);
    let schedule = default_schedule(&network);
    let model = campaign(&network, &schedule, &Release::default(), &mines, &validation, 2, |line| println!("{line}"));
    let accuracy = validation.accuracy(&model);
    assert!(accuracy.get() > 940_000, "{accuracy}");
}
