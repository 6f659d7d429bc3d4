//! NumPy's `.npz`: a ZIP archive of `.npy` files.

use super::answer::{Answer, ExportError};
use super::model::{Model, indices, membership};
use crate::features::Recipe;
use std::io::{Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

impl Model<'_> {
    /// An `.npz` archive of NumPy arrays: `weights`, (inputs, outputs), and every constant of the feature map.
    pub fn npz(&self) -> Result<Vec<u8>, ExportError> {
        self.npz_after(Archive::default())
    }

    /// The same, after the arrays that `archive` already has.
    pub fn npz_after(&self, archive: Archive) -> Result<Vec<u8>, ExportError> {
        encode(self, archive)
    }
}

/// Appends a model to an archive and finishes it.
fn encode(model: &Model<'_>, mut archive: Archive) -> Result<Vec<u8>, ExportError> {
    let (shape, features) = (model.weights.shape(), model.features);
    archive.doubles("weights", &[shape.inputs, shape.outputs], model.weights.values())?;
    archive.strings("columns", &[model.columns.len()], model.columns)?;
    archive.doubles("center", &[features.columns.len()], &model.centers())?;
    archive.doubles("spread", &[features.columns.len()], &model.spreads())?;
    archive.doubles("scale", &[], &[features.scale])?;
    archive.doubles("bias", &[], &[features.bias])?;
    archive.doubles("clip", &[], &[features.clip])?;
    archive.strings("expansion", &[], &[serde_json::to_string(&features.expansion)?])?;
    random(&mut archive, &features.recipe()?)?;
    match model.answer {
        Answer::Class(classes) => archive.strings("classes", &[classes.len()], classes)?,
        Answer::Number(target) => {
            archive.doubles("target_center", &[], &[target.center])?;
            archive.doubles("target_spread", &[], &[target.spread])?;
        }
    }
    archive.strings("metadata", &[], &[serde_json::to_string(model.metadata)?])?;
    archive.finish()
}

/// Adds the arrays that follow from the seed.
fn random(archive: &mut Archive, recipe: &Recipe) -> Result<(), ExportError> {
    match recipe {
        Recipe::Identity | Recipe::Polynomial => Ok(()),
        Recipe::RandomRelu { count, weights, .. } => {
            archive.doubles("random_weights", &[weights.len() / count, *count], weights)
        }
        Recipe::RandomConv { windows, cells, filters, weights, .. } => {
            let (places, window) = (windows.len(), weights.len() / filters);
            archive.doubles("random_weights", &[window, *filters], weights)?;
            archive.integers("windows", &[places, window], &indices(windows))?;
            archive.doubles("cells", &[cells.len(), places], &membership(cells, places))
        }
    }
}

/// An `.npz` archive that is written array by array.
#[derive(Debug)]
pub struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Default for Archive {
    fn default() -> Self {
        Self(ZipWriter::new(Cursor::default()))
    }
}

impl Archive {
    /// Adds an array of 64-bit floating-point numbers, row-major.
    pub fn doubles(&mut self, name: &str, shape: &[usize], values: &[f64]) -> Result<(), ExportError> {
        self.add(name, "<f8", shape, values.iter().flat_map(|value| value.to_le_bytes()))
    }

    /// Adds an array of 32-bit floating-point numbers, row-major.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), ExportError> {
        self.add(name, "<f4", shape, values.iter().flat_map(|value| value.to_le_bytes()))
    }

    /// Adds an array of 64-bit integers, row-major.
    pub fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) -> Result<(), ExportError> {
        self.add(name, "<i8", shape, values.iter().flat_map(|value| value.to_le_bytes()))
    }

    /// Adds an array of strings, each padded with zeros to the longest, four bytes per character.
    pub fn strings(&mut self, name: &str, shape: &[usize], values: &[String]) -> Result<(), ExportError> {
        let longest = values.iter().map(|value| value.chars().count()).max().unwrap_or(0).max(1);
        let padded = |value: &String| value.chars().map(u32::from).chain(std::iter::repeat(0)).take(longest).collect();
        let codes: Vec<u32> = values.iter().flat_map(|value| -> Vec<u32> { padded(value) }).collect();
        self.add(name, &format!("<U{longest}"), shape, codes.into_iter().flat_map(u32::to_le_bytes))
    }

    fn add(
        &mut self,
        name: &str,
        kind: &str,
        shape: &[usize],
        bytes: impl Iterator<Item = u8>,
    ) -> Result<(), ExportError> {
        // The time stamp is constant, so that the same model gives the same file.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::default());
        self.0.start_file(format!("{name}.npy"), options)?;
        let file: Vec<u8> = header(kind, shape).into_iter().chain(bytes).collect();
        self.0.write_all(&file).map_err(zip::result::ZipError::from)?;
        Ok(())
    }

    /// Finishes the archive and returns its bytes.
    pub fn finish(self) -> Result<Vec<u8>, ExportError> {
        Ok(self.0.finish()?.into_inner())
    }
}

/// Magic, version 1.0, length and text of the header. The data after it starts at a multiple of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    const PREFIX: usize = 10;
    let shape: String = shape.iter().map(|length| format!("{length},")).collect();
    let text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    let length = (PREFIX + text.len() + 1).next_multiple_of(64) - PREFIX;
    let text = format!("{text:<width$}\n", width = length - 1);
    let mut header = b"\x93NUMPY\x01\x00".to_vec();
    // Kind and shape are some dozens of bytes.
    header.extend((length as u16).to_le_bytes());
    header.extend(text.bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::super::model::tests::{KINDS, Sample};
    use super::*;
    use crate::{FeatureKind, TargetMap};
    use std::io::Read;

    /// Header and data of one array.
    fn read(bytes: &[u8], name: &str) -> Option<(String, Vec<u8>)> {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut file = Vec::new();
        archive.by_name(&format!("{name}.npy")).ok()?.read_to_end(&mut file).unwrap();
        assert_eq!(file[..8], *b"\x93NUMPY\x01\x00");
        let start = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert_eq!(start % 64, 0);
        Some((String::from_utf8(file[10..start].to_vec()).unwrap(), file[start..].to_vec()))
    }

    fn doubles(bytes: &[u8], name: &str) -> Vec<f64> {
        read(bytes, name).unwrap().1.as_chunks().0.iter().copied().map(f64::from_le_bytes).collect()
    }

    #[test]
    fn arrays_round_trip() {
        for kind in KINDS {
            let sample = Sample::new(kind);
            let bytes = sample.model().npz().unwrap();
            let (header, _) = read(&bytes, "weights").unwrap();
            let shape = format!("'shape': ({},2,), }}", sample.weights.shape().inputs);
            assert!(
                header.starts_with("{'descr': '<f8', 'fortran_order': False, ") && header.contains(&shape),
                "{header}"
            );
            assert_eq!(doubles(&bytes, "weights"), sample.weights.values());
            assert_eq!(doubles(&bytes, "scale"), [sample.features.scale]);
            assert_eq!(doubles(&bytes, "spread").len(), 36);
            let random = matches!(kind, FeatureKind::RandomRelu(_) | FeatureKind::RandomConv(_));
            assert_eq!(read(&bytes, "random_weights").is_some(), random);
        }
    }

    #[test]
    fn strings_are_padded_to_the_longest() {
        let (header, data) = read(&Sample::new(FeatureKind::Identity).model().npz().unwrap(), "classes").unwrap();
        assert!(header.contains("'<U6'") && header.contains("'shape': (2,)"), "{header}");
        let text: String = data.as_chunks().0.iter().map(|c| char::from_u32(u32::from_le_bytes(*c)).unwrap()).collect();
        assert_eq!(text, "no\0\0\0\0größer");
    }

    #[test]
    fn a_regression_has_its_target() {
        let mut sample = Sample::new(FeatureKind::Identity);
        let shape = crate::Shape { inputs: 37, outputs: 1 };
        sample.weights = crate::Weights::zeros(shape);
        let bytes = sample.model_for(Answer::Number(TargetMap { center: 2.0, spread: 3.0 })).unwrap().npz().unwrap();
        assert_eq!((doubles(&bytes, "target_center"), doubles(&bytes, "target_spread")), (vec![2.0], vec![3.0]));
        assert!(read(&bytes, "classes").is_none());
    }
}
