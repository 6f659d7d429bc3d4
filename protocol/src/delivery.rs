//! The delivered model as a file: its metadata and its formats.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use syft::{Ppm, Task, export::Answer};

pub use crate::families::{DeliveryError, Format, ParseFormatError};
use crate::{backbone::Embedding, families::Export, ids::CampaignId, manifest::Manifest};

/// Name and version of the metadata of a file, and of the computation of scores from it.
const FORM: &str = "sonar.model/1";

/// The finished model of a campaign.
#[derive(Debug)]
pub struct FinishedModel<'a> {
    manifest: &'a Manifest,
    model: &'a [u8],
    metadata: BTreeMap<String, String>,
    safetensors: Vec<u8>,
}

impl<'a> FinishedModel<'a> {
    /// Reads the model that `campaign` ended with, at this attested accuracy.
    ///
    /// # Errors
    /// When it is not a model of the campaign, or cannot be described.
    pub fn new(
        manifest: &'a Manifest,
        model: &'a [u8],
        campaign: CampaignId,
        accuracy: Ppm,
    ) -> Result<Self, DeliveryError> {
        let mut metadata: BTreeMap<String, String> = BTreeMap::from([
            ("sonar.format".into(), FORM.into()),
            ("sonar.version".into(), env!("CARGO_PKG_VERSION").into()),
            ("sonar.name".into(), manifest.name.clone()),
            ("sonar.campaign".into(), campaign.to_string()),
            ("sonar.accuracy_ppm".into(), accuracy.get().to_string()),
            ("sonar.metric".into(), serde_json::to_string(&manifest.metric)?),
            ("sonar.regime".into(), serde_json::to_string(&manifest.method.regime())?),
            // Names of the columns, and the classes or the range of the target.
            ("sonar.data".into(), serde_json::to_string(&manifest.data)?),
        ]);
        if let Some(target) = manifest.data.target_map()? {
            metadata.insert("sonar.target".into(), serde_json::to_string(&target)?);
        }
        metadata.extend(manifest.method.metadata()?);
        let safetensors = manifest.method.describe(model, &metadata)?;
        Ok(Self { manifest, model, metadata, safetensors })
    }

    /// The file that the Capsule signs. It names the backbone without containing it.
    #[must_use]
    pub fn safetensors(&self) -> &[u8] {
        &self.safetensors
    }

    /// The file in this format. Formats that compute answers from raw columns contain the campaign's backbone, if there
    /// is one.
    ///
    /// # Errors
    /// When this kind of model does not support the format, or the embedding lacks the campaign's backbone.
    pub fn encode(&self, format: Format, embedding: &Embedding) -> Result<Vec<u8>, DeliveryError> {
        if format == Format::Safetensors {
            return Ok(self.safetensors.clone());
        }
        let inputs = &self.manifest.data.inputs;
        let columns: Vec<String> = inputs.iter().map(|input| input.name.clone()).collect();
        let export = Export { columns: &columns, answer: self.answer()?, metadata: &self.metadata, embedding };
        self.manifest.method.export(self.model, format, &export)
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

/// Path of each format: `out` itself for safetensors alone, otherwise with the extension of each format.
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
