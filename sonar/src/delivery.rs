//! The finished model as a file: what it says about itself, and the formats it comes in.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use syft::{
    DataError, ModelError, Task, Weights,
    export::{Answer, ExportError, Model},
};

use crate::{ids::CampaignId, manifest::Manifest};

/// Name and version of what a file says about itself, and of how scores follow from that.
const FORM: &str = "sonar.model/1";

/// What the data scientist loads the model with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Format {
    /// The file that the Capsule signed: the weights, and how to use them as metadata
    Safetensors,
    /// A graph from raw columns to scores and answers
    Onnx,
    /// NumPy arrays: the weights and every constant
    Npz,
}

impl Format {
    /// How names of such files end.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Onnx => "onnx",
            Self::Npz => "npz",
        }
    }
}

/// A model that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// Constants that are no JSON.
    #[error("the model's description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A regression without the range of its target, which no manifest that was checked is.
    #[error("the target's range is missing")]
    NoRange,
    /// A target with a range that is none.
    #[error(transparent)]
    Target(#[from] DataError),
    /// Not as safetensors.
    #[error(transparent)]
    Safetensors(#[from] ModelError),
    /// Not in another format.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// A campaign's finished model.
#[derive(Debug)]
pub struct Finished<'a> {
    manifest: &'a Manifest,
    weights: &'a Weights,
    metadata: BTreeMap<String, String>,
}

impl<'a> Finished<'a> {
    /// The model that `campaign` ended with, at this attested accuracy.
    ///
    /// # Errors
    /// When it cannot be described.
    pub fn new(
        manifest: &'a Manifest,
        weights: &'a Weights,
        campaign: CampaignId,
        accuracy_ppm: u32,
    ) -> Result<Self, DeliveryError> {
        let mut metadata = BTreeMap::from([
            ("sonar.format".into(), FORM.into()),
            ("sonar.version".into(), env!("CARGO_PKG_VERSION").into()),
            ("sonar.name".into(), manifest.name.clone()),
            ("sonar.campaign".into(), campaign.to_string()),
            ("sonar.accuracy_ppm".into(), accuracy_ppm.to_string()),
            ("sonar.metric".into(), serde_json::to_string(&manifest.metric)?),
            ("sonar.features".into(), serde_json::to_string(&manifest.features)?),
            // Names of the columns, and the classes or the range of the target.
            ("sonar.data".into(), serde_json::to_string(&manifest.data)?),
        ]);
        if let Some(target) = manifest.data.target_map()? {
            metadata.insert("sonar.target".into(), serde_json::to_string(&target)?);
        }
        Ok(Self { manifest, weights, metadata })
    }

    /// The file in this format.
    ///
    /// # Errors
    /// When weights and manifest are not of the same model.
    pub fn encode(&self, format: Format) -> Result<Vec<u8>, DeliveryError> {
        let data = &self.manifest.data;
        let columns: Vec<String> = data.inputs.iter().map(|input| input.name.clone()).collect();
        let answer = match (&data.task, data.target_map()?) {
            (Task::Classification { classes }, _) => Answer::Class(classes),
            (Task::Regression, Some(target)) => Answer::Number(target),
            (Task::Regression, None) => return Err(DeliveryError::NoRange),
        };
        let model = Model::new(self.weights, &self.manifest.features, &columns, answer, &self.metadata)?;
        Ok(match format {
            Format::Safetensors => self.weights.to_safetensors(self.metadata.clone().into_iter().collect())?,
            Format::Onnx => model.onnx()?,
            Format::Npz => model.npz()?,
        })
    }
}

/// Where each format is written: safetensors alone under the very name that was asked for, else every file with its own ending.
#[must_use]
pub fn paths(out: &Path, formats: &[Format]) -> BTreeMap<Format, PathBuf> {
    if formats == [Format::Safetensors] {
        return BTreeMap::from([(Format::Safetensors, out.to_owned())]);
    }
    formats.iter().map(|&format| (format, out.with_extension(format.extension()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_has_its_ending() {
        let paths = |formats: &[Format]| -> Vec<String> {
            super::paths(Path::new("a/m.bin"), formats).values().map(|path| path.display().to_string()).collect()
        };
        assert_eq!(paths(&[Format::Safetensors]), ["a/m.bin"]);
        assert_eq!(paths(&[Format::Onnx]), ["a/m.onnx"]);
        assert_eq!(paths(&[Format::Npz, Format::Safetensors, Format::Npz]), ["a/m.safetensors", "a/m.npz"]);
    }
}
