//! The finished model as a file: what it says about itself, and the formats it comes in.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use syft::{
    DataError, ModelError, Task, Weights,
    export::{self, Answer, Archive, ExportError},
};
use syft_nets::Model;

use crate::{
    backbone::Embedding,
    ids::CampaignId,
    manifest::Manifest,
    method::{FileError, Linear, Method},
};

/// Name and version of what a file says about itself, and of how scores follow from that.
const FORM: &str = "sonar.model/1";
/// The same of a model that reads through a backbone.
const FORM_WITH_BACKBONE: &str = "sonar.model/2";

/// What the data scientist loads the model with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The file that the Capsule signed: the weights, and how to use them as metadata
    Safetensors,
    /// A graph from raw columns to scores and answers
    Onnx,
    /// NumPy arrays: the weights and every constant
    Npz,
}

/// A text that names no format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a format: write `safetensors`, `onnx` or `npz`")]
pub struct ParseFormatError(String);

impl FromStr for Format {
    type Err = ParseFormatError;

    fn from_str(text: &str) -> Result<Self, ParseFormatError> {
        Self::ALL.into_iter().find(|format| format.extension() == text).ok_or_else(|| ParseFormatError(text.into()))
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 3] = [Self::Safetensors, Self::Onnx, Self::Npz];

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
    /// The file is no model of the campaign's.
    #[error(transparent)]
    File(#[from] FileError),
    /// Constants that are no JSON.
    #[error("the model's description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// A regression without the range of its target, which no manifest that was checked is.
    #[error("the target's range is missing")]
    NoRange,
    /// A model that reads through a backbone, which is not at hand.
    #[error("the backbone's weights are needed for this format")]
    NoBackbone,
    /// A target with a range that is none.
    #[error(transparent)]
    Target(#[from] DataError),
    /// Not as safetensors.
    #[error(transparent)]
    Safetensors(#[from] ModelError),
    /// A network, not as safetensors.
    #[error(transparent)]
    Network(#[from] syft_nets::ModelError),
    /// Not in another format.
    #[error(transparent)]
    Export(#[from] ExportError),
}

/// A campaign's finished model.
#[derive(Debug)]
pub struct Finished<'a> {
    manifest: &'a Manifest,
    model: Trained<'a>,
    metadata: BTreeMap<String, String>,
}

/// A model with what there is to know about its kind.
#[derive(Debug)]
enum Trained<'a> {
    Linear(&'a Linear, Weights),
    Network(Model),
}

impl<'a> Finished<'a> {
    /// The model in this file, that `campaign` ended with at this attested accuracy.
    ///
    /// # Errors
    /// When it is none of the campaign's, or cannot be described.
    pub fn new(
        manifest: &'a Manifest,
        file: &[u8],
        campaign: CampaignId,
        accuracy_ppm: u32,
    ) -> Result<Self, DeliveryError> {
        let mut metadata: BTreeMap<String, String> = BTreeMap::from([
            ("sonar.format".into(), FORM.into()),
            ("sonar.version".into(), env!("CARGO_PKG_VERSION").into()),
            ("sonar.name".into(), manifest.name.clone()),
            ("sonar.campaign".into(), campaign.to_string()),
            ("sonar.accuracy_ppm".into(), accuracy_ppm.to_string()),
            ("sonar.metric".into(), serde_json::to_string(&manifest.metric)?),
            ("sonar.regime".into(), serde_json::to_string(&manifest.method.regime())?),
            // Names of the columns, and the classes or the range of the target.
            ("sonar.data".into(), serde_json::to_string(&manifest.data)?),
        ]);
        if let Some(target) = manifest.data.target_map()? {
            metadata.insert("sonar.target".into(), serde_json::to_string(&target)?);
        }
        let model = match &manifest.method {
            Method::Encrypted(linear) => {
                metadata.insert("sonar.features".into(), serde_json::to_string(&linear.features)?);
                if let Some(backbone) = &linear.backbone {
                    metadata.insert("sonar.format".into(), FORM_WITH_BACKBONE.into());
                    metadata.insert("sonar.backbone".into(), serde_json::to_string(backbone)?);
                }
                Trained::Linear(linear, linear.read(file)?)
            }
            Method::Clear(clear) => Trained::Network(clear.read(file)?),
        };
        Ok(Self { manifest, model, metadata })
    }

    /// The file as the Capsule signs it: it names the backbone, and does not need it.
    ///
    /// # Errors
    /// Never in practice: any model has such a file.
    pub fn safetensors(&self) -> Result<Vec<u8>, DeliveryError> {
        let metadata = self.metadata.clone().into_iter().collect();
        Ok(match &self.model {
            Trained::Linear(_, weights) => weights.to_safetensors(metadata)?,
            Trained::Network(model) => model.to_safetensors(metadata)?,
        })
    }

    /// The file in this format. What computes answers from raw columns has the campaign's backbone in it, if there is one.
    ///
    /// # Errors
    /// When there is no such file of a model of this kind, or the embedding lacks the campaign's backbone.
    pub fn encode(&self, format: Format, embedding: &Embedding) -> Result<Vec<u8>, DeliveryError> {
        let columns = self.columns();
        Ok(match (&self.model, format) {
            (_, Format::Safetensors) => self.safetensors()?,
            (Trained::Network(model), Format::Onnx) => model.onnx(self.answer()?, &self.metadata)?,
            (Trained::Network(model), Format::Npz) => model.npz(&columns, self.answer()?, &self.metadata)?,
            (Trained::Linear(linear, weights), format) => match (&linear.backbone, embedding.backbone()) {
                (None, _) => {
                    let model = self.linear(linear, weights, &columns)?;
                    if format == Format::Onnx { model.onnx()? } else { model.npz()? }
                }
                (Some(_), Some(backbone)) => self.with_backbone(backbone, linear, weights, format)?,
                (Some(_), None) => return Err(DeliveryError::NoBackbone),
            },
        })
    }

    /// One file from raw columns through the backbone to an answer.
    fn with_backbone(
        &self,
        backbone: &Model,
        linear: &Linear,
        weights: &Weights,
        format: Format,
    ) -> Result<Vec<u8>, DeliveryError> {
        let activations: Vec<String> =
            (0..linear.features.columns.len()).map(|index| format!("activation_{index}")).collect();
        let model = self.linear(linear, weights, &activations)?;
        if format == Format::Onnx {
            let (graph, from) = backbone.activations_onnx();
            return Ok(model.onnx_after(graph, &from)?);
        }
        let mut archive = Archive::default();
        backbone.add_to(&mut archive, "backbone.", &self.columns())?;
        Ok(model.npz_after(archive)?)
    }

    /// A linear model that reads these columns.
    fn linear<'b>(
        &'b self,
        linear: &'b Linear,
        weights: &'b Weights,
        columns: &'b [String],
    ) -> Result<export::Model<'b>, DeliveryError> {
        Ok(export::Model::new(weights, &linear.features, columns, self.answer()?, &self.metadata)?)
    }

    fn columns(&self) -> Vec<String> {
        self.manifest.data.inputs.iter().map(|input| input.name.clone()).collect()
    }

    fn answer(&self) -> Result<Answer<'_>, DeliveryError> {
        let data = &self.manifest.data;
        match (&data.task, data.target_map()?) {
            (Task::Classification { classes }, _) => Ok(Answer::Class(classes)),
            (Task::Regression, Some(target)) => Ok(Answer::Number(target)),
            (Task::Regression, None) => Err(DeliveryError::NoRange),
        }
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
