//! What the documentation claims of whole campaigns on MNIST. They take minutes, so they run only when asked for: `make figures`.

use localnet::{
    demo::{self, DemoConfig, DemoInputs, run_campaign},
    report::DemoReport,
    twin,
};
use syft::FeatureKind;

use crate::{
    clear::{Killer, clear},
    demo::check,
    support::{config, network, runtime},
};

fn encrypted(features: FeatureKind, name: &str) -> DemoReport {
    let config = DemoConfig { features: Some(features), ..config("mnist", 10, name) };
    let report = runtime().block_on(demo::run(&config)).unwrap_or_else(|error| panic!("{error}")).report;
    check(&report);
    let (clear, seconds) = (report.clear_accuracy_ppm.unwrap(), report.seconds.total);
    println!("{features}: {}, {clear} in the clear, {seconds:.0} s", report.final_accuracy_ppm);
    report
}

#[test]
#[ignore = "takes a minute or two"]
fn ten_mines_teach_an_encrypted_model_digits_by_convolutions() {
    assert!(encrypted(FeatureKind::RandomConv(1_008), "figures-conv").final_accuracy_ppm.get() >= 960_000);
}

#[test]
#[ignore = "takes some minutes"]
fn ten_mines_teach_an_encrypted_model_digits_by_random_features() {
    assert!(encrypted(FeatureKind::RandomRelu(2_000), "figures-relu").final_accuracy_ppm.get() >= 940_000);
}

#[test]
#[ignore = "takes some minutes"]
fn four_mines_of_which_one_is_killed_teach_a_network_digits() {
    runtime().block_on(async {
        let prepared = DemoInputs::read(&clear("mnist", 4, "unused")).unwrap();
        let mut network = network(&prepared, "figures-clear").await;
        let file = prepared.write(network.directory()).unwrap();
        let mut killer = Killer { trainer: Some(0), ..Killer::default() };
        let campaign = run_campaign(&mut network, &file, &mut killer).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(killer.revived, ["mine-1"]);
        let manifest = network.manifest(campaign.followed.view.id).await.unwrap();
        network.stop().await;
        let DemoInputs { embedding, validation, .. } = &prepared;
        let accuracy = twin::delivered(&manifest, embedding, validation, &campaign.model).unwrap().accuracy();
        println!("clear: {accuracy}");
        assert!(accuracy.get() >= 970_000, "{accuracy}");
    });
}
