//! A toy family for tests, which shows that a family needs only one file and its line of registration: a model that
//! gives the same scores to every row, so that it can learn only which class is the most frequent.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use syft::{Binding, Examples, Matrix, Metric, Scores, Targets, Trainable, Validation, VersionSeed, privacy::Zcdp};
use zeroize::Zeroizing;

use super::{
    draft::{Brief, Draft, DraftError},
    export::{DeliveryError, Export, Format},
    family::{
        Algorithm, EvaluationWindow, Family, FamilyError, FreeConstant, MeasuredTrial, MethodError, ModelFile,
        OpenedModel, PublishedMaterial, Recomputation, RowCost, TrainError, TrainingTask, Trial, TrialError,
        WindowEvaluation,
    },
    secrecy::Secrecy,
};
use crate::{
    campaign::{CampaignFile, CampaignFileError},
    data::Schema,
    regime::Regime,
};

const COUNTING: Algorithm =
    Algorithm { name: "counting", description: "Frequencies of the classes", regime: Regime::Clear };

/// Scores of this number of classes, the same for every row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constant {
    classes: usize,
}

/// One score per class; also the change of a model.
#[derive(Clone, Debug, PartialEq)]
struct Frequencies(Vec<f64>);

impl Trainable for Frequencies {
    type Inputs = Matrix;
    type Delta = Self;

    fn nothing(&self) -> Self {
        Self(vec![0.0; self.0.len()])
    }

    fn takes(&self, delta: &Self) -> bool {
        delta.0.len() == self.0.len() && delta.0.iter().all(|x| x.abs() <= 1.0)
    }

    fn moved(&self, delta: &Self, size: f64) -> Self {
        Self(self.0.iter().zip(&delta.0).map(|(score, change)| score + size * change).collect())
    }

    fn predict(&self, inputs: &Matrix) -> Scores {
        Scores::new(self.0.len(), self.0.repeat(inputs.rows()))
    }
}

impl Frequencies {
    fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|score| score.to_le_bytes()).collect()
    }
}

fn file(model: &Frequencies) -> Result<ModelFile, FamilyError> {
    Ok(Zeroizing::new(model.encode()))
}

impl Constant {
    fn decode(&self, bytes: &[u8]) -> Result<Frequencies, FamilyError> {
        let (scores, rest) = bytes.as_chunks();
        if scores.len() != self.classes || !rest.is_empty() {
            return Err(FamilyError::new(format!("expected {} scores of eight bytes", self.classes)));
        }
        Ok(Frequencies(scores.iter().map(|score| f64::from_le_bytes(*score)).collect()))
    }

    /// An update: the hash of the model that it was made from, and the change.
    fn update(&self, bytes: &[u8], material: &[u8; 32]) -> Option<Frequencies> {
        self.decode(bytes.strip_prefix(material)?).ok()
    }
}

impl Family for Constant {
    fn regime(&self) -> Regime {
        Self::REGIME
    }

    fn algorithm(&self) -> Algorithm {
        COUNTING
    }

    fn check(&self, data: &Schema) -> Result<(), MethodError> {
        let fits = self.classes == data.task.outputs();
        fits.then_some(()).ok_or(MethodError::Contradiction("there must be one score per class"))
    }

    fn check_constants(&self, _: &Schema) -> Result<(), FreeConstant> {
        Ok(())
    }

    fn weights(&self) -> usize {
        self.classes
    }

    fn row_cost(&self) -> RowCost {
        RowCost { numbers: self.classes, work: 1 }
    }

    fn material_limit(&self) -> usize {
        8 * self.classes
    }

    fn update_len(&self) -> usize {
        32 + 8 * self.classes
    }

    fn trial(
        &self,
        examples: &Examples,
        targets: Targets,
        metric: Metric,
        model: Option<&[u8]>,
    ) -> Result<Box<dyn Trial>, TrialError> {
        let validation = Validation::new(examples.features().clone(), targets, metric)?;
        let model = model.map_or_else(|| Ok(Frequencies(vec![0.0; self.classes])), |model| self.decode(model))?;
        Ok(MeasuredTrial::trial(model, validation, file))
    }

    fn publish(&self, model: &[u8], _: &VersionSeed, _: &Binding) -> Result<PublishedMaterial, FamilyError> {
        Ok(PublishedMaterial { material: model.to_vec(), hash: Sha256::digest(model).into() })
    }

    fn open(&self, material: &[u8], _: &Binding) -> Result<Box<dyn OpenedModel>, FamilyError> {
        let (model, hash) = (self.decode(material)?, Sha256::digest(material).into());
        Ok(Box::new(OpenedFrequencies { model, hash }))
    }

    fn bears(&self, _: Zcdp, _: usize) -> Result<(), FamilyError> {
        Err(FamilyError::new("frequencies carry no noise"))
    }

    fn conforms(&self, update: &[u8], material: &[u8; 32]) -> bool {
        self.update(update, material).is_some()
    }

    fn evaluate(&self, window: &EvaluationWindow<'_>) -> Result<WindowEvaluation, FamilyError> {
        let deltas = window.updates.iter().map(|bytes| self.update(bytes, window.material));
        MeasuredTrial::evaluate(window, &self.decode(window.best)?, deltas)
    }

    fn recompute(&self, material: &[u8], _: Option<&VersionSeed>, _: &Binding) -> Recomputation {
        Recomputation { model: Some(Zeroizing::new(material.to_vec())), ..Recomputation::default() }
    }

    fn secrecy(&self, _: u32) -> Secrecy {
        Secrecy { encryption: None, security: Vec::new(), parties: &[] }
    }

    fn metadata(&self) -> Result<BTreeMap<String, String>, serde_json::Error> {
        Ok(BTreeMap::from([("sonar.classes".into(), self.classes.to_string())]))
    }

    fn describe(&self, model: &[u8], metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, FamilyError> {
        let mut description = serde_json::to_vec(metadata).map_err(FamilyError::new)?;
        description.extend(self.decode(model)?.encode());
        Ok(description)
    }

    fn export(&self, _: &[u8], format: Format, _: &Export<'_>) -> Result<Vec<u8>, DeliveryError> {
        Err(FamilyError::new(format!("frequencies have no {} form", format.extension())).into())
    }
}

#[derive(Debug)]
struct OpenedFrequencies {
    model: Frequencies,
    hash: [u8; 32],
}

impl OpenedModel for OpenedFrequencies {
    fn train(&self, task: TrainingTask<'_>) -> Result<Vec<u8>, TrainError> {
        let Targets::Classes(classes) = task.targets else {
            return Err(FamilyError::new("only classes have frequencies").into());
        };
        let rows = classes.len() as f64;
        let frequency = |class| classes.iter().filter(|known| **known == class).count() as f64 / rows;
        let change = self.model.0.iter().enumerate().map(|(class, score)| frequency(class) - score).collect();
        task.watch.trained();
        Ok([self.hash.to_vec(), Frequencies(change).encode()].concat())
    }
}

impl Draft for Constant {
    const NAME: &'static str = "constant";
    const REGIME: Regime = Regime::Clear;
    const ALGORITHMS: &'static [Algorithm] = &[COUNTING];

    fn check_file(file: &CampaignFile) -> Result<(), CampaignFileError> {
        match &file.training {
            Some(_) => Err(CampaignFileError::model("training", "there is nothing to choose")),
            None => Ok(()),
        }
    }

    fn draft(brief: Brief<'_>) -> Result<(Self, String), DraftError> {
        Ok((Self { classes: brief.data.task.outputs() }, "the most frequent class".into()))
    }
}

#[cfg(test)]
mod tests {
    use syft::{ContentVerdict, Ppm};
    use syft_nets::TrainingProgress;

    use super::{
        super::{Method, TrainingStopped, TrainingWatch},
        *,
    };
    use crate::{
        backbone::Embedding,
        data::{TableLimits, read_csv},
        delivery::FinishedModel,
        ids::{CampaignId, Digest},
        launch::{
            Plan, plan,
            tests::{TEXT, inputs},
        },
        manifest::Manifest,
        statement::PrivacyStatement,
    };

    const CHOICE: &str = "[model]\nregime = \"clear\"\nfamily = \"constant\"\n[reward]";
    const BINDING: Binding = Binding { chain_id: 1, contract: [0; 20], campaign: [1; 32], version: 1, beacon: [0; 32] };

    /// Trains in one step, so that the watch has nothing to do.
    struct NoWatch;

    impl TrainingWatch for NoWatch {
        fn checkpoint(&mut self) -> Result<Option<ModelFile>, TrainingStopped> {
            Ok(None)
        }
        fn resumed(&mut self, _: TrainingProgress) {}
        fn step(&mut self, _: TrainingProgress, _: &dyn Fn() -> ModelFile) -> Result<(), TrainingStopped> {
            Ok(())
        }
        fn trained(&mut self) {}
    }

    fn planned(choice: &str) -> Plan {
        // A coarse grid, because verdicts may disclose little about two weights.
        let text = TEXT.replace("[reward]", choice).replace("target = 0.9", "target = 0.9\ngrid = 0.3");
        plan(&CampaignFile::parse(&text).unwrap(), inputs()).unwrap()
    }

    #[test]
    fn a_third_family_is_one_file_from_the_campaign_file_to_the_delivered_model() {
        let plan = planned(CHOICE);
        let manifest = Manifest::decode(&plan.manifest(Digest([9; 32])).encode().unwrap()).unwrap();
        assert!(matches!(manifest.method, Method::Constant(Constant { classes: 2 })));
        let bundle = plan.bundle.check(&manifest, &Embedding::none()).unwrap();
        let (method, seed) = (&manifest.method, VersionSeed::from_bytes([1; 32]));

        // The Capsule publishes; a Mine trains.
        let start = bundle.start.file().unwrap();
        let PublishedMaterial { material, hash } = method.publish(&start, &seed, &BINDING).unwrap();
        assert!(material.len() <= method.material_limit());
        let table = read_csv(&b"a,b,y\n0,0,yes\n1,0,yes\n2,0,no\n"[..], &TableLimits::default()).unwrap();
        let examples = manifest.data.fit(&table).unwrap();
        let targets = manifest.targets(&examples).unwrap();
        let (coins, watch) = (&mut rand::rng(), &mut NoWatch);
        let task = TrainingTask { examples: &examples, targets: &targets, cost: None, coins, watch };
        let update = method.open(&material, &BINDING).unwrap().train(task).unwrap();
        assert_eq!(update.len(), method.update_len());
        assert!(method.conforms(&update, &hash) && !method.conforms(&update, &[0; 32]));

        // The Capsule evaluates and delivers; the data scientist recomputes.
        let ladder = manifest.accuracy.ladder().unwrap();
        let window = EvaluationWindow {
            trial: &*bundle.start,
            best: &start,
            best_ppm: ladder.start(),
            updates: &[&update, b"garbage"],
            seed: &seed,
            binding: &BINDING,
            material: &hash,
            ladder: &ladder,
            most: 1,
        };
        let evaluated = method.evaluate(&window).unwrap();
        assert!(matches!(evaluated.verdicts[..], [ContentVerdict::Accepted(_), ContentVerdict::NotImproved]));
        assert_eq!(evaluated.best_ppm, Ppm::new(900_000).unwrap(), "18 of 20 rows");
        let recomputed = method.recompute(&evaluated.best, Some(&seed), &BINDING);
        assert_eq!(recomputed.model.as_ref(), Some(&evaluated.best));
        let campaign = CampaignId::from([1; 32]);
        let finished = FinishedModel::new(&manifest, &evaluated.best, campaign, evaluated.best_ppm).unwrap();
        assert!(String::from_utf8_lossy(finished.safetensors()).contains("sonar.classes"));
        let refused = finished.encode(Format::Onnx, &Embedding::none()).unwrap_err().to_string();
        assert!(refused.contains("no onnx form"), "{refused}");
        let statement = PrivacyStatement::new(&manifest, crate::statement::CampaignProgress::default()).unwrap();
        assert_eq!((statement.regime, statement.model.secret), (Regime::Clear, false));
    }

    #[test]
    fn a_family_is_chosen_by_name_and_refuses_what_does_not_go_with_it() {
        let usual = planned("[model]\nregime = \"clear\"\n[reward]").manifest(Digest([9; 32]));
        assert!(matches!(usual.method, Method::Clear(_)), "the first family of a regime is the usual one");
        for (choice, reason) in [
            (
                "[model]\nfamily = \"constant\"\n[reward]",
                "`constant` is not a family of the encrypted regime: write `linear`",
            ),
            ("[model]\nregime = \"clear\"\nfamily = \"tree\"\n[reward]", "write `network` or `constant`"),
            (
                "[training]\nepochs = 1\n[model]\nregime = \"clear\"\nfamily = \"constant\"\n[reward]",
                "nothing to choose",
            ),
        ] {
            let refused = CampaignFile::parse(&TEXT.replace("[reward]", choice)).unwrap_err().to_string();
            assert!(refused.contains(reason), "{refused}");
        }
        assert_eq!("counting".parse::<Algorithm>().unwrap(), COUNTING);
    }
}
