//! A linear model together with everything that an exported file contains.

use super::answer::{Answer, ExportError};
use crate::data::DataError;
use crate::features::FeatureMap;
use crate::model::Weights;
use crate::shape::Shape;
use std::collections::BTreeMap;

/// A linear model and everything that is needed to apply it to raw columns.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    pub(super) weights: &'a Weights,
    pub(super) features: &'a FeatureMap,
    pub(super) columns: &'a [String],
    pub(super) answer: Answer<'a>,
    pub(super) metadata: &'a BTreeMap<String, String>,
}

impl<'a> Model<'a> {
    /// Combines `weights`, the map `features` from raw columns named `columns`, and the meaning of the scores. `metadata` is written to the file
    /// unchanged. Fails if the parts do not fit together.
    pub fn new(
        weights: &'a Weights,
        features: &'a FeatureMap,
        columns: &'a [String],
        answer: Answer<'a>,
        metadata: &'a BTreeMap<String, String>,
    ) -> Result<Self, ExportError> {
        features.check()?;
        let (have, need) = (weights.shape(), Shape { inputs: features.inputs(), outputs: answer.outputs() });
        if have != need {
            return Err(ExportError::Shape { have, need });
        }
        if columns.len() != features.columns.len() {
            return Err(DataError::Columns { have: columns.len(), need: features.columns.len() }.into());
        }
        Ok(Self { weights, features, columns, answer, metadata })
    }

    pub(super) fn centers(&self) -> Vec<f64> {
        self.features.columns.iter().map(|column| column.center).collect()
    }

    pub(super) fn spreads(&self) -> Vec<f64> {
        self.features.columns.iter().map(|column| column.spread).collect()
    }
}

/// Concatenates lists of indices.
pub(super) fn indices(lists: &[Vec<usize>]) -> Vec<i64> {
    lists.iter().flatten().map(|&index| index as i64).collect()
}

/// The matrix (cells × places) that is one where a place belongs to a cell, else zero: its product sums over each cell.
pub(super) fn membership(cells: &[Vec<usize>], places: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; cells.len() * places];
    for (row, cell) in matrix.chunks_exact_mut(places).zip(cells) {
        cell.iter().for_each(|&place| row[place] = 1.0);
    }
    matrix
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::data::TargetMap;
    use crate::{FeatureKind, Image, Matrix, SeedIndex};

    pub(in super::super) const KINDS: [FeatureKind; 4] =
        [FeatureKind::Identity, FeatureKind::Polynomial, FeatureKind::RandomRelu(5), FeatureKind::RandomConv(18)];

    /// A model of 36 columns for two classes.
    pub(in super::super) struct Sample {
        pub features: FeatureMap,
        pub weights: Weights,
        pub columns: Vec<String>,
        pub classes: Vec<String>,
        pub metadata: BTreeMap<String, String>,
    }

    impl Sample {
        pub fn new(kind: FeatureKind) -> Self {
            let raw = Matrix::new(2, 36, (0..72).map(|i| f64::from(i * 37 % 64)).collect()).unwrap();
            let image = Image { height: 6, width: 6, channels: 1 };
            let features = FeatureMap::fit(&raw, &[(0.0, 64.0); 36], kind, Some(image), SeedIndex::default()).unwrap();
            let shape = Shape { inputs: features.inputs(), outputs: 2 };
            let weights = Weights::project(shape, (0..shape.weights()).map(|i| (i % 9) as f64 / 64.0).collect());
            Self {
                features,
                weights,
                columns: (0..36).map(|i| format!("p{i}")).collect(),
                classes: ["no", "größer"].map(String::from).into(),
                metadata: BTreeMap::from([("campaign".into(), "test".into())]),
            }
        }

        pub fn model(&self) -> Model<'_> {
            self.model_for(Answer::Class(&self.classes)).unwrap()
        }

        pub fn model_for<'a>(&'a self, answer: Answer<'a>) -> Result<Model<'a>, ExportError> {
            Model::new(&self.weights, &self.features, &self.columns, answer, &self.metadata)
        }
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let mut sample = Sample::new(FeatureKind::Identity);
        let number = Answer::Number(TargetMap { center: 0.0, spread: 1.0 });
        let error = sample.model_for(number).unwrap_err();
        assert_eq!(error.to_string(), "the model has 37 inputs and 2 outputs, its description 37 and 1");
        sample.columns.pop();
        assert!(matches!(sample.model_for(Answer::Class(&sample.classes)), Err(ExportError::Features(_))));
    }

    #[test]
    fn the_same_model_gives_the_same_bytes() {
        for kind in KINDS {
            let (one, other) = (Sample::new(kind), Sample::new(kind));
            assert_eq!(one.model().onnx().unwrap(), other.model().onnx().unwrap());
            assert_eq!(one.model().npz().unwrap(), other.model().npz().unwrap());
        }
    }

    #[test]
    fn cells_become_a_matrix() {
        assert_eq!(membership(&[vec![0, 1], vec![1, 2]], 3), [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }
}
