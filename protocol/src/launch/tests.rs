//! Launches that succeed, and those that are refused.

use std::sync::LazyLock;

use alloy::signers::local::PrivateKeySigner;
use proptest::prelude::*;
use sonar_contracts::{STAKE_UNIT, Terms};
use syft_nets::{Input, NetworkKind};

use super::*;
pub(crate) use crate::campaign::tests::TEXT;
use crate::{
    bundle::BundleError, delivery::FinishedModel, families::FreeConstant, ids::CampaignId, manifest::ManifestError,
};

pub(crate) fn inputs() -> Inputs {
    let rows: String = (0..20)
        .map(|row| format!("{},{},{}\n", row % 10, f64::from(row) / 20.0, ["no", "yes"][usize::from(row % 10 > 0)]))
        .collect();
    Inputs {
        chain_id: 31337,
        contract: Address::repeat_byte(9),
        validation: Zeroizing::new(format!("a,b,y\n{rows}").into_bytes()),
        initial: None,
        backbone: None,
        owner: Address::repeat_byte(1),
        scientist: Recipient {
            certificate: b"certificate".to_vec(),
            fingerprint: Fingerprint::V4([0xAB; 20]),
            expires: None,
        },
        token: Address::ZERO,
        bounty: Amount::from(1_000_u128),
        capsule: CapsuleTerms {
            operator: Address::repeat_byte(2),
            fee_ppm: Ppm::of(1, 100),
            stake: Amount::from(100_u128),
            fingerprint: Fingerprint::V4([0xCD; 20]),
        },
        now: Timestamp::from_unix(1_800_000_000),
        bundle_salt: Zeroizing::new([5; 32]),
        salt: B256::repeat_byte(6),
        audit: AuditSecret::of(&PrivateKeySigner::from_bytes(&B256::repeat_byte(7)).unwrap(), B256::repeat_byte(6)),
    }
}

pub(crate) fn planned(from: &str, to: &str) -> Result<Plan, LaunchError> {
    let text = TEXT.replace(from, to);
    assert!(from.is_empty() || text != TEXT);
    plan(&CampaignFile::parse(&text).unwrap(), inputs())
}

/// The bundle as the Capsule reads it, which has only the bytes of this manifest.
fn opened(plan: &Plan, manifest: &Manifest) -> Bundle {
    let manifest = Manifest::decode(&manifest.encode().unwrap()).unwrap();
    let terms = plan.terms(Digest([8; 32]));
    let context = BundleContext::new(31337, Address::repeat_byte(9), &terms, &manifest).unwrap();
    Bundle::decode(&plan.encode_bundle(), &context).unwrap()
}

#[test]
fn manifest_bundle_and_terms_agree() {
    let plan = planned("", "").unwrap();
    let manifest = plan.manifest(Digest([9; 32]));
    let bytes = manifest.encode().unwrap();
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
    manifest.matches(&plan.terms(Digest([8; 32]))).unwrap();
    let bundle = opened(&plan, &manifest);
    let checked = bundle.check(&manifest, &Embedding::none()).unwrap();
    assert_eq!(checked.start.rows(), 20);
    assert_eq!(checked.certificate, b"certificate");
    assert_eq!(manifest.accuracy.grid.ppm(), 50_000, "one row of twenty");
    assert_eq!(plan.outlook.start_ppm, Ppm::of(1, 10));
}

#[test]
fn a_network_is_planned_as_the_file_says() {
    let text = "[model]\nregime = \"clear\"\nseed = 3\n[training]\nepochs = 2\nbits = 6\n";
    let file = CampaignFile::parse(&format!("{TEXT}{text}")).unwrap();
    let plan = plan(&file, inputs()).unwrap();
    assert_eq!(plan.outlook.regime, Regime::Clear);
    assert!(plan.outlook.model.starts_with("mlp:64,32: the columns are named quantities"), "{}", plan.outlook.model);
    assert!(plan.outlook.warnings[0].contains("every version of the model is public"), "{:?}", plan.outlook.warnings);
    assert_eq!(plan.outlook.start_ppm, Ppm::of(1, 10), "it says the same about everything");
    let manifest = plan.manifest(Digest([9; 32]));
    let bytes = manifest.encode().unwrap();
    assert_eq!(Manifest::decode(&bytes).unwrap(), manifest);
    let clear = manifest.method.clear().unwrap();
    assert_eq!((clear.schedule.epochs, clear.release.bits), (2, 6));
    assert_eq!(manifest.check_constants(), Ok(()));
    let checked = opened(&plan, &manifest).check(&manifest, &Embedding::none()).unwrap();
    assert_eq!(checked.start.accuracy().get(), 100_000);
    // What the Capsule publishes is always the same file.
    assert_eq!(checked.start.file().unwrap(), crate::families::plain_network(&clear.initial()).unwrap());
}

/// Every map that a launch makes is one that a Mine accepts without a privacy budget.
#[test]
fn what_is_launched_is_checked() {
    for features in ["identity", "polynomial", "random-relu:40"] {
        for seed in ["", "seed = 0", "seed = 15"] {
            let text = format!("{TEXT}[model]\nfeatures = \"{features}\"\n{seed}\n");
            let plan = plan(&CampaignFile::parse(&text).unwrap(), inputs()).unwrap();
            assert_eq!(plan.manifest(Digest([9; 32])).check_constants(), Ok(()), "{features}");
        }
    }
    let text = format!("{TEXT}[model]\nfeatures = \"random-relu:40\"\nseed = 16\n");
    let refused = CampaignFile::parse(&text).unwrap_err().to_string();
    assert!(refused.contains("16 is not the index of a seed: it must be between 0 and 15"), "{refused}");
}

/// A data scientist puts constants of their own into a manifest that is valid otherwise.
#[test]
fn attack_manifest_that_singles_out_a_known_person_is_refused() {
    let manifest = |text: &str| {
        let plan = plan(&CampaignFile::parse(&format!("{TEXT}{text}")).unwrap(), inputs()).unwrap();
        plan.manifest(Digest([9; 32]))
    };
    let refusal = |manifest: Manifest| {
        let manifest = Manifest::decode(&manifest.encode().unwrap()).unwrap();
        manifest.check_constants().unwrap_err()
    };
    // Every column is centred at the known person, and everybody else is cut at the same limits.
    let mut centred = manifest("");
    let Method::Encrypted(linear) = &mut centred.method else { unreachable!() };
    linear.features.columns = [7.0, 0.85].map(|center| syft::Column { center, spread: 1e-6 }).to_vec();
    let refused = refusal(centred).to_string();
    assert!(refused.starts_with("the spread of column 0 is 0.000001; for the published range"), "{refused}");

    let mut seeded = manifest("[model]\nfeatures = \"random-relu:40\"\n");
    let Method::Encrypted(linear) = &mut seeded.method else { unreachable!() };
    let syft::Expansion::RandomRelu { seed, .. } = &mut linear.features.expansion else { unreachable!() };
    *seed = 3;
    assert_eq!(refusal(seeded), FreeConstant::Map(syft::UncheckedMap::Seed { seed: 3 }));

    let mut weighed = manifest("");
    let Method::Encrypted(linear) = &mut weighed.method else { unreachable!() };
    linear.labels = syft::Labels { right: 1.0, wrong: 0.999 };
    assert_eq!(refusal(weighed), FreeConstant::Labels { right: 1.0, wrong: 0.999 });

    assert_eq!(refusal(through("", &[30], 2).unwrap().manifest(Digest([9; 32]))), FreeConstant::Backbone);
}

/// The same with a public network: its input, the seed of its weights, and a starting model.
#[test]
fn attack_public_network_that_singles_out_a_known_person_is_refused() {
    let plan = plan(&CampaignFile::parse(&format!("{TEXT}[model]\nregime = \"clear\"\n")).unwrap(), inputs()).unwrap();
    let good = plan.manifest(Digest([9; 32]));
    assert_eq!(good.check_constants(), Ok(()));
    let mut started = good.clone();
    started.commitments.initial = Some(Digest([1; 32]));
    assert_eq!(started.check_constants(), Err(FreeConstant::Start));
    let mut seeded = good.clone();
    let Method::Clear(clear) = &mut seeded.method else { unreachable!() };
    clear.seed = 3;
    assert_eq!(seeded.check_constants(), Err(FreeConstant::Map(syft::UncheckedMap::Seed { seed: 3 })));
    let mut centred = good;
    let Method::Clear(clear) = &mut centred.method else { unreachable!() };
    let columns = [7.0, 0.85].map(|center| syft::Column { center, spread: 1e-6 }).to_vec();
    clear.network = NetworkKind::Mlp(vec![64, 32]).network(Input::Columns(columns), 2).unwrap();
    assert!(matches!(centred.check_constants(), Err(FreeConstant::Map(syft::UncheckedMap::Spread { column: 0, .. }))));
}

#[test]
fn a_launch_with_little_stake_or_a_free_start_warns() {
    let rich = |stake: u128, token: Address| {
        let inputs = inputs();
        let capsule = CapsuleTerms { stake: stake.into(), ..inputs.capsule.clone() };
        let plan = plan(&CampaignFile::parse(TEXT).unwrap(), Inputs { capsule, token, ..inputs }).unwrap();
        plan.outlook.warnings.into_iter().find(|warning| warning.contains("the Capsule locks"))
    };
    assert_eq!(rich(100, Address::ZERO), None, "a tenth of the bounty");
    assert!(rich(99, Address::ZERO).unwrap().contains("Mines expect 0.0000000000000001 ETH by default"));
    assert_eq!(rich(crate::terms::USUAL_TOKEN_STAKE, Address::repeat_byte(9)), None);
    assert!(rich(100, Address::repeat_byte(9)).unwrap().contains("Mines expect 0.1 ETH"));
    let warned = through("", &[30], 2).unwrap().outlook.warnings;
    assert!(warned.iter().any(|warning| warning.contains("only Mines with a privacy budget")), "{warned:?}");
}

/// A public network of two columns, that a campaign of this text reads through.
fn through(text: &str, layers: &[usize], columns: usize) -> Result<Plan, LaunchError> {
    let input = Input::Columns(vec![syft::Column { center: 5.0, spread: 5.0 }; columns]);
    let network = NetworkKind::Mlp(layers.to_vec()).network(input, 4).unwrap();
    let backbone = Some((Model::initial(&network, &[1; 32]), Digest([4; 32])));
    let file = format!("{TEXT}[model]\nbackbone = \"b.safetensors\"\n{text}");
    plan(&CampaignFile::parse(&file).unwrap(), Inputs { backbone, ..inputs() })
}

#[test]
fn a_backbone_becomes_a_part_of_the_manifest() {
    let plan = through("", &[30], 2).unwrap();
    let Outlook { model, warnings, .. } = &plan.outlook;
    assert!(model.contains("identity") && model.contains("30 activations"), "{model}");
    assert!(warnings.iter().any(|warning| warning.contains("becomes public")), "{warnings:?}");
    let manifest = plan.manifest(Digest([9; 32]));
    let manifest = Manifest::decode(&manifest.encode().unwrap()).unwrap();
    assert_eq!(manifest.method.backbone().unwrap().weights, Digest([4; 32]));
    let statement =
        crate::statement::PrivacyStatement::new(&manifest, crate::statement::CampaignProgress::default()).unwrap();
    assert!(statement.to_string().contains("a public network: its 214 weights"), "{statement}");
    assert_eq!(manifest.method.weights(), 31 * 2, "the backbone is not among what is trained");

    let bundle = opened(&plan, &manifest);
    let model = Model::initial(&manifest.method.backbone().unwrap().network, &[1; 32]);
    let checked = bundle.check(&manifest, &Embedding::of(model)).unwrap();
    assert_eq!(checked.start.accuracy(), plan.outlook.start_ppm);
    let forgotten = bundle.check(&manifest, &Embedding::none()).unwrap_err();
    assert!(forgotten.to_string().contains("the data has 2 columns, the model expects 30"), "{forgotten}");
    let without = planned("", "").unwrap().manifest(Digest([9; 32])).encode().unwrap();
    assert!(!String::from_utf8(without).unwrap().contains("backbone"), "nothing is said of what is not there");
}

#[test]
fn a_validation_set_may_not_be_too_long() {
    let method = through("features = \"random-relu:4000\"", &[30], 2).unwrap().manifest(Digest([9; 32])).method;
    let most = method.most_rows();
    assert!((10_000..20_000).contains(&most), "half a gigabyte: {most}");
    assert_eq!(method.check_rows(most), Ok(()));
    assert_eq!(method.check_rows(most + 1), Err(TooManyRows { rows: most + 1, most }));
    let small = planned("", "").unwrap().manifest(Digest([9; 32])).method;
    assert!(small.most_rows() > 5_000_000);
    // Whoever has launched it all the same is refused before any work is done.
    let file = CampaignFile::parse(&format!("{TEXT}[model]\nfeatures = \"random-relu:4000\"")).unwrap();
    let plan = plan(&file, inputs()).unwrap();
    let validation = format!("a,b,y\n{}", "1,0.5,no\n".repeat(most + 1)).into_bytes().into();
    let bundle = Bundle { validation, ..plan.bundle.clone() };
    let manifest = Manifest { commitments: bundle.commitments(), ..plan.manifest(Digest([9; 32])) };
    let long = bundle.check(&manifest, &Embedding::none()).unwrap_err().to_string();
    assert!(long.contains("rows, but at most"), "{long}");
}

#[test]
fn a_backbone_that_does_not_fit_is_refused() {
    let refusal = |text: &str, layers: &[usize], columns| through(text, layers, columns).unwrap_err().to_string();
    let columns = refusal("", &[30], 3);
    assert_eq!(columns, "model.backbone: the data has 2 columns, the model expects 3");
    assert!(refusal("", &[5_000], 2).contains("5000 activations before its output"));
    assert!(refusal("features = \"random-relu:5000\"", &[30], 2).contains("5000 features"));
}

#[test]
fn a_starting_model_of_another_kind_is_refused() {
    let sealed = format!("{TEXT}[model]\nregime = \"clear\"\n");
    let with = |text: &str, initial: &[u8]| {
        let inputs = Inputs { initial: Some(Zeroizing::new(initial.to_vec())), ..inputs() };
        plan(&CampaignFile::parse(text).unwrap(), inputs)
    };
    let network = plan(&CampaignFile::parse(&sealed).unwrap(), inputs()).unwrap().manifest(Digest([9; 32]));
    let network = crate::families::plain_network(&network.method.clear().unwrap().initial()).unwrap();
    let linear = planned("", "").unwrap().manifest(Digest([9; 32])).method;
    let linear = crate::families::plain(&syft::Weights::zeros(linear.linear().unwrap().shape)).unwrap();
    with(&sealed, &network).unwrap();
    with(TEXT, &linear).unwrap();
    assert!(matches!(with(&sealed, &linear), Err(LaunchError::Trial(TrialError::File(_)))));
    assert!(matches!(with(TEXT, &network), Err(LaunchError::Trial(TrialError::File(_)))));
    let wider = sealed.replace("[model]", "[model]\nnetwork = \"mlp:8\"");
    assert!(with(&wider, &network).unwrap_err().to_string().contains("the model: "));
}

#[test]
fn a_bundle_of_another_campaign_is_refused() {
    let plan = planned("", "").unwrap();
    let manifest = plan.manifest(Digest([9; 32]));
    let mut bundle = plan.bundle.clone();
    bundle.salt[0] ^= 1;
    assert!(matches!(bundle.check(&manifest, &Embedding::none()), Err(BundleError::Commitment("validation set"))));
}

#[test]
fn terms_of_another_campaign_are_named() {
    let plan = planned("", "").unwrap();
    let mut terms = Terms::clone(&plan.terms(Digest([8; 32])));
    terms.gridPpm += 1;
    let error = plan.manifest(Digest([9; 32])).matches(&terms).unwrap_err();
    assert_eq!(error.field, "grid");
    let mut terms = Terms::clone(&plan.terms(Digest([8; 32])));
    terms.audit.keys = B256::ZERO;
    let error = plan.manifest(Digest([9; 32])).matches(&terms).unwrap_err();
    assert_eq!(error.field, "audit");
}

#[test]
fn what_would_be_refused_later_is_refused_now() {
    let refusal = |from, to| planned(from, to).unwrap_err().to_string();
    assert!(refusal("target = 0.9", "target = 0.1").contains("must be above"));
    assert!(refusal("target = 0.9", "target = 0.93\ngrid = 0.05").contains("choose 90 % or 95 %, or leave"));
    assert!(refusal("target = 0.9", "target = 0.99\ngrid = 0.3").contains("choose 90 %, or leave"));
    assert!(refusal("start = 0.1\ntarget = 0.9", "target = 0.04").contains("4 % is less than the finest grid"));
    assert!(refusal("start = 0.1\ntarget = 0.9", "target = 0.1").contains("must be above"));
    assert!(refusal("start = 0.1", "start = 0.5").contains("accuracy.start claims 50 %"));
    assert!(refusal("\"2d\"", "\"2020-01-01T00:00:00Z\"").contains("deadline"));
    assert!(refusal("name = \"b\"", "name = \"c\"").contains("column `c` is missing"));
    assert!(refusal("target = 0.9", "target = 0.9\ngrid = 0.001").contains("grid"));
    assert!(refusal("target = 0.9", "target = 0.9\n[limits]\nwindow = 65").contains("limits.window"));
    let large = refusal("[reward]", "[model]\nfeatures = \"random-relu:8191\"\n[reward]");
    assert!(large.contains("8191 features") && large.contains("4096 inputs") && large.contains("4.0 times"), "{large}");
    let mut poor = inputs();
    poor.bounty = Amount::ZERO;
    let file = CampaignFile::parse(TEXT).unwrap();
    assert!(matches!(plan(&file, poor), Err(LaunchError::Bounty)));
}

#[test]
fn a_start_that_is_not_claimed_is_measured() {
    let plan = planned("start = 0.1\n", "").unwrap();
    let manifest = plan.manifest(Digest([9; 32]));
    manifest.matches(&plan.terms(Digest([8; 32]))).unwrap();
    let tenth = Ppm::of(1, 10);
    assert_eq!((plan.outlook.start_ppm, manifest.accuracy.start), (tenth, tenth));
}

#[test]
fn what_is_claimed_without_being_asked_for_is_on_the_grid() {
    let plan = planned("start = 0.1\ntarget = 0.9", "target = 0.93").unwrap();
    let accuracy = plan.manifest(Digest([9; 32])).accuracy;
    assert_eq!((plan.outlook.start_ppm.get(), accuracy.start.get()), (100_000, 58_125));
}

#[test]
fn every_target_that_a_row_can_reach_has_a_grid() {
    let grid = |target: &str| {
        let plan = planned("target = 0.9", &format!("target = {target}")).unwrap();
        let terms = plan.terms(Digest([8; 32]));
        assert!(terms.targetPpm.is_multiple_of(terms.gridPpm), "{target}");
        let coarse = plan.outlook.warnings.iter().any(|warning| warning.contains("choose a rounder accuracy.target"));
        (terms.gridPpm, coarse)
    };
    assert_eq!(grid("0.90"), (50_000, false));
    assert_eq!(grid("0.93"), (58_125, false));
    assert_eq!(grid("0.933352"), (66_668, false));
    assert_eq!(grid("0.999983"), (999_983, true), "a prime number of parts per million");
    assert_eq!(grid("1.0"), (50_000, false));
}

#[test]
fn a_certificate_that_expires_before_the_delivery_is_refused() {
    let expiring = |expires: Timestamp| {
        let file =
            CampaignFile::parse(&format!("{TEXT}[limits]\nevaluation_seconds = 600\ndelivery_seconds = 900")).unwrap();
        let scientist = Recipient { expires: Some(expires), ..inputs().scientist };
        plan(&file, Inputs { scientist, ..inputs() })
    };
    // The deadline is two days after the launch; evaluation, delivery and a day of margin follow.
    let last = inputs().now.plus(2 * 86_400 + 600 + 900 + 86_399_u64);
    let needed = last.plus(1_u64);
    expiring(needed).unwrap();
    let refusal = expiring(last).unwrap_err();
    let LaunchError::CertificateExpires { expires, needed: until, .. } = &refusal else { panic!("{refusal}") };
    assert_eq!((*expires, *until), (last, needed));
    let text = refusal.to_string();
    assert!(text.contains(&"AB".repeat(20)) && text.contains("2027-01-18T08:24:59Z"), "{text}");
}

#[test]
fn the_stake_is_a_part_of_what_a_grid_step_pays() {
    let stake = |bounty: u128, token: Address, limits: &str| {
        let file = CampaignFile::parse(&format!("{TEXT}[limits]\n{limits}")).unwrap();
        let inputs = Inputs { bounty: bounty.into(), token, ..inputs() };
        plan(&file, inputs).map(|plan| plan.terms(Digest([8; 32])).submissionStake)
    };
    const ETH: u128 = 1_000_000_000_000_000_000;
    let data = Address::repeat_byte(0xDA);
    // A tenth of 0.1 ETH × 5 % / 90 %, in whole millionths.
    assert_eq!(stake(ETH / 100, Address::ZERO, "").unwrap(), 55 * STAKE_UNIT);
    assert_eq!(stake(ETH, Address::ZERO, "").unwrap(), ETH / 1_000);
    assert_eq!(stake(1_000, Address::ZERO, "").unwrap(), 0);
    assert_eq!(stake(1_000, data, "").unwrap(), ETH / 2_000);
    assert_eq!(stake(1_000, data, "submission_stake = \"0.001\"").unwrap(), ETH / 1_000);
    assert!(stake(1_000, data, "submission_stake = \"0.001001\"").is_err());
    assert_eq!(stake(ETH, Address::ZERO, "submission_stake = \"0 ETH\"").unwrap(), 0);

    let refusal = |limits: &str| stake(ETH, Address::ZERO, limits).unwrap_err().to_string();
    let bounds = "between 0 ETH and 16.777215 ETH, in steps of 0.000001 ETH";
    assert!(refusal("submission_stake = \"16.777216\"").contains(bounds));
    assert!(refusal("submission_stake = \"0.0000001\"").contains(bounds));
    assert!(refusal("submission_stake = \"0.06\"").contains("more than 0.055555555555555555 ETH: one grid step's pay"));
}

#[test]
fn limits_that_would_say_too_much_are_refused() {
    let wide = planned("target = 0.9", "target = 0.9\n[limits]\nsubmissions = 60000\naccepts = 200");
    assert!(matches!(wide, Err(LaunchError::Manifest(ManifestError::Budget(_)))));
}

#[test]
fn small_models_come_with_a_warning() {
    assert!(planned("", "").unwrap().outlook.warnings[0].contains("6 weights"));
}

#[test]
fn the_campaigns_of_this_project_can_be_launched() {
    /// A file of `data/`, unpacked.
    fn read(name: &str) -> Vec<u8> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../data").join(name);
        let Ok(packed) = std::fs::File::open(path.with_extension("csv.gz")) else {
            return std::fs::read(path).unwrap();
        };
        let mut bytes = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut bytes).unwrap();
        bytes
    }

    for (name, warned) in [("digits", false), ("breast-cancer", true), ("diabetes", false), ("mnist", false)] {
        let file = String::from_utf8(read(&format!("{name}.toml"))).unwrap();
        let file = CampaignFile::parse(&file).unwrap();
        let validation = Zeroizing::new(read(&format!("{name}-validation.csv")));
        let inputs = Inputs { validation, ..inputs() };
        let plan = plan(&file, inputs).unwrap();
        assert_eq!(!plan.outlook.warnings.is_empty(), warned, "{name}: {:?}", plan.outlook.warnings);
        let manifest = plan.manifest(Digest([9; 32]));
        let bundle = opened(&plan, &manifest);
        bundle.check(&manifest, &Embedding::none()).unwrap();
        let train = read(&format!("{name}-train.csv"));
        let train = data::read_csv(train.as_slice(), &data::TableLimits::default()).unwrap();
        assert_eq!(manifest.data.fit(&train).unwrap().len(), train.rows(), "{name}");
    }
}

/// The campaign that others start from, as its manifest is read from IPFS.
fn parent(text: &str) -> Parent {
    let plan = plan(&CampaignFile::parse(text).unwrap(), inputs()).unwrap();
    let manifest = Manifest::decode(&plan.manifest(Digest([9; 32])).encode().unwrap()).unwrap();
    Parent { id: CampaignId::from([0xAB; 32]), manifest }
}

/// The delivered model of a parent.
fn result_of(parent: &Parent) -> Zeroizing<Vec<u8>> {
    let model = match &parent.manifest.method {
        Method::Encrypted(linear) => crate::families::plain(&syft::Weights::zeros(linear.shape)).unwrap(),
        Method::Clear(clear) => crate::families::plain_network(&clear.initial()).unwrap(),
        Method::Constant(_) => unreachable!(),
    };
    let finished = FinishedModel::new(&parent.manifest, &model, parent.id, Ppm::of(1, 10)).unwrap();
    Zeroizing::new(finished.safetensors().to_vec())
}

/// Plans a campaign that starts from the parent's result, on another validation set.
fn planned_from(parent: &Parent, text: &str) -> Result<Plan, LaunchError> {
    let text = format!("{text}\ninitial = \"campaign:{}\"\n", parent.id);
    let rows: String = (0..30)
        .map(|row| format!("{},{},{}\n", row * 7 % 10, f64::from(row) / 30.0, ["no", "yes"][usize::from(row % 10 > 0)]))
        .collect();
    let validation = Zeroizing::new(format!("a,b,y\n{rows}").into_bytes());
    let initial = Some(result_of(parent));
    plan_from(&CampaignFile::parse(&text).unwrap(), Inputs { validation, initial, ..inputs() }, Some(parent))
}

#[test]
fn a_campaign_starts_from_the_result_of_another_under_its_constants() {
    for model in [
        "[model]\nfeatures = \"identity\"",
        "[model]\nfeatures = \"random-relu:40\"",
        "[model]\nfeatures = \"random-relu:40\"\nseed = 3",
        "[model]\nregime = \"clear\"\nnetwork = \"mlp:8\"",
    ] {
        let text = format!("{TEXT}{model}");
        let parent = parent(&text);
        let plan = planned_from(&parent, &text).unwrap_or_else(|error| panic!("{model}: {error}"));
        let manifest = Manifest::decode(&plan.manifest(Digest([9; 32])).encode().unwrap()).unwrap();
        assert_eq!((manifest.schema.as_str(), manifest.parent), ("sonar.manifest/4", Some(parent.id)));
        match (&manifest.method, &parent.manifest.method) {
            (Method::Encrypted(ours), Method::Encrypted(theirs)) => {
                let near = |a: f64, b: f64| (a - b).abs() <= 1e-12 * b.abs();
                assert!(near(ours.features.scale, theirs.features.scale), "{model}");
                assert_eq!(ours.features.expansion, theirs.features.expansion, "{model}");
                assert_eq!(manifest.check_constants(), Ok(()), "{model}");
            }
            (Method::Clear(ours), Method::Clear(theirs)) => assert_eq!(ours.seed, theirs.seed, "{model}"),
            other => panic!("{other:?}"),
        }
        assert!(plan.outlook.model.contains("0xabababab"), "{}", plan.outlook.model);
        // What the Capsule opens has the parent's result in it, and reads it.
        opened(&plan, &manifest).check(&manifest, &Embedding::none()).unwrap();
        assert!(manifest.commitments.initial.is_some());
        // A child can have children.
        let grandchild = Parent { id: CampaignId::from([0xCD; 32]), manifest };
        planned_from(&grandchild, &text).unwrap();
    }
}

#[test]
fn what_does_not_fit_the_parent_is_named() {
    let relu = format!("{TEXT}[model]\nfeatures = \"random-relu:40\"\nseed = 3");
    let parent = parent(&relu);
    let refusal = |text: &str| planned_from(&parent, text).unwrap_err().to_string();
    let changed = |from: &str, to: &str| {
        assert!(relu.contains(from));
        refusal(&relu.replace(from, to))
    };
    assert!(
        changed("max = 10", "max = 12")
            .starts_with("model.initial: `a` ranges from 0 to 12 in this file and from 0 to 10")
    );
    assert!(
        changed("name = \"b\"", "name = \"c\"").contains("column 2 is `c` in this file and `b` in campaign 0xabab")
    );
    let fewer = changed(", { name = \"b\", min = 0, max = 1.5 }", "");
    assert!(fewer.contains("reads 2 columns, and this file names 1"), "{fewer}");
    assert!(changed("target = \"y\"", "target = \"z\"").contains("the target is `z` in this file and `y`"));
    assert!(
        changed("[\"no\", \"yes\"]", "[\"yes\", \"no\"]").contains("the classes are yes, no in this file and no, yes")
    );
    let regression = changed(
        "kind = \"classification\"\ntarget = \"y\"\nclasses = [\"no\", \"yes\"]",
        "kind = \"regression\"\ntarget = \"y\"\nmin = 0\nmax = 1",
    );
    assert!(regression.contains("another task"), "{regression}");
    let features = changed("random-relu:40", "random-relu:41");
    assert!(
        features.contains("model.features is not that of campaign") && features.contains("leave it out"),
        "{features}"
    );
    assert!(changed("seed = 3", "seed = 4").contains("model.seed is not that"));
    // What the file leaves open is taken from the parent.
    planned_from(&parent, &format!("{TEXT}[model]")).unwrap();
    let clear = refusal(&format!("{TEXT}[model]\nregime = \"clear\""));
    assert!(
        clear.contains("is of the encrypted regime, and this file of the clear regime: set regime = \"encrypted\""),
        "{clear}"
    );
}

#[test]
fn a_campaign_file_that_names_a_parent_is_not_planned_without_it() {
    let text = format!("{TEXT}[model]\ninitial = \"campaign:{}\"\n", CampaignId::from([0xAB; 32]));
    let file = CampaignFile::parse(&text).unwrap();
    assert!(matches!(plan(&file, inputs()), Err(LaunchError::NoParent(_))));
    let parent = parent(TEXT);
    let other = Parent { id: CampaignId::from([1; 32]), ..parent.clone() };
    let initial = || Some(result_of(&parent));
    let planned = plan_from(&file, Inputs { initial: initial(), ..inputs() }, Some(&other));
    assert!(matches!(planned, Err(LaunchError::NoParent(_))), "another campaign than the file names");
    plan_from(&file, Inputs { initial: initial(), ..inputs() }, Some(&parent)).unwrap();
}

#[test]
fn manifests_keep_their_format_until_they_need_the_newer_one() {
    let plain = planned("", "").unwrap().manifest(Digest([9; 32]));
    assert_eq!(plain.schema, "sonar.manifest/3");
    let text = String::from_utf8(plain.encode().unwrap()).unwrap();
    assert!(!text.contains("organisation") && !text.contains("parent"), "programs that know format 3 read it");
    let named = "name = \"test\"\norganisation = { name = \"Clinic\", link = \"https://clinic.example\" }";
    let manifest = planned("name = \"test\"", named).unwrap().manifest(Digest([9; 32]));
    assert_eq!(manifest.schema, "sonar.manifest/4");
    let decoded = Manifest::decode(&manifest.encode().unwrap()).unwrap();
    assert_eq!(decoded.organisation.as_ref().unwrap().name, "Clinic");

    let spoiled = |spoil: &dyn Fn(&mut Manifest)| {
        let mut manifest = manifest.clone();
        spoil(&mut manifest);
        let bytes = serde_json::to_vec(&manifest).unwrap();
        Manifest::decode(&bytes).unwrap_err().to_string()
    };
    assert!(
        spoiled(&|manifest| manifest.schema = "sonar.manifest/3".into()).contains("neither organisation nor parent")
    );
    assert!(spoiled(&|manifest| manifest.schema = "sonar.manifest/5".into()).contains("sonar.manifest/5"));
    assert!(spoiled(&|manifest| manifest.parent = Some(CampaignId::from([1; 32]))).contains("no starting model"));
    let link = spoiled(&|manifest| manifest.organisation.as_mut().unwrap().link = Some("javascript:x".into()));
    assert!(link.starts_with("the manifest: organisation.link"), "{link}");
}

static MANIFEST: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let plan = planned("", "").unwrap();
    plan.manifest(Digest([9; 32])).encode().unwrap()
});

proptest! {
    #[test]
    fn no_bytes_make_reading_a_manifest_panic(at in any::<prop::sample::Index>(), put in "[0-9e.\"\\[\\]{}:,-]{1,6}") {
        let at = at.index(MANIFEST.len());
        prop_assert!(Manifest::decode(&MANIFEST[..at]).is_err());
        let mut changed = MANIFEST.clone();
        changed.splice(at..(at + put.len()).min(MANIFEST.len()), put.bytes());
        // Whatever is taken for a manifest can be written and read again.
        if let Ok(manifest) = Manifest::decode(&changed) {
            prop_assert_eq!(Manifest::decode(&manifest.encode().unwrap()).unwrap(), manifest);
        }
    }
}
