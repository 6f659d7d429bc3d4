//! The delivered model as a file: its metadata and its formats.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use syft::{Ppm, Task, export::Answer};

pub use crate::families::{DeliveryError, Format, ParseFormatError};
use crate::{backbone::Embedding, families::Export, ids::CampaignId, manifest::Manifest};

/// Name and version of the metadata of a file, and of the computation of scores from it.
const FORM: &str = "sonar.model/1";

/// Key of the campaign's id in the metadata.
const CAMPAIGN: &str = "sonar.campaign";

/// A signed file that was not delivered for a campaign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signed file {}, not campaign {campaign}", .found.as_ref().map_or_else(|| "names no campaign".into(), |found| format!("is the model of campaign {found}")))]
pub struct WrongCampaign {
    found: Option<String>,
    campaign: CampaignId,
}

/// Checks that a signed file was made for this campaign. Without this check the signature on an earlier model of the
/// same Capsule would count for this one.
///
/// # Errors
/// When it names another campaign, or none.
pub fn check_campaign(signed: &[u8], campaign: CampaignId) -> Result<(), WrongCampaign> {
    let found = metadata(signed).and_then(|mut metadata| metadata.remove(CAMPAIGN));
    if found.as_deref() == Some(&*campaign.to_string()) { Ok(()) } else { Err(WrongCampaign { found, campaign }) }
}

/// The metadata of a safetensors file: it begins with the length of a JSON document, which is followed by the document.
fn metadata(file: &[u8]) -> Option<BTreeMap<String, String>> {
    #[derive(Deserialize)]
    struct Header {
        #[serde(rename = "__metadata__")]
        metadata: BTreeMap<String, String>,
    }
    let (length, rest) = file.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let header: Header = serde_json::from_slice(rest.get(..length)?).ok()?;
    Some(header.metadata)
}

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
            (CAMPAIGN.into(), campaign.to_string()),
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

    /// A Capsule signs every model that it delivers. A file that was signed for one campaign is not the result of another.
    #[test]
    fn result_replay() {
        let plan = crate::launch::tests::planned("", "").unwrap();
        let manifest = plan.manifest(crate::ids::Digest([9; 32]));
        let shape = manifest.method.linear().unwrap().shape;
        let model = crate::families::plain(&syft::Weights::zeros(shape)).unwrap();
        let (own, other) = (CampaignId::from([1; 32]), CampaignId::from([2; 32]));
        let delivered = FinishedModel::new(&manifest, &model, own, Ppm::ONE).unwrap();
        let signed = delivered.safetensors();
        assert_eq!(check_campaign(signed, own), Ok(()));
        let error = check_campaign(signed, other).unwrap_err();
        assert_eq!(error.found, Some(own.to_string()));
        assert!(error.to_string().contains(&other.to_string()), "{error}");
        for file in [&model[..], b"", b"12345678", &[255; 100]] {
            assert_eq!(check_campaign(file, own).unwrap_err().found, None);
        }
    }

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
