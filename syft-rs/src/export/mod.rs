//! Finished models in the formats that other programs load. Whatever runs a linear [`Model`], the scores are ours to the last bit: all is
//! computed in double precision, and no sum is ever rounded. [`Graph`] and [`Archive`] write files of other models too.

mod npz;
mod onnx;

pub use npz::Archive;
pub use onnx::{DataType, Graph};

use crate::data::{DataError, TargetMap};
use crate::features::FeatureMap;
use crate::model::{Shape, Weights};
use std::collections::BTreeMap;
use thiserror::Error;

/// What a model's scores mean.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// The class of the greatest score, the first among equals.
    Class(&'a [String]),
    /// The one score, taken back to the data's own scale.
    Number(TargetMap),
}

impl Answer<'_> {
    /// Scores that it takes.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Class(classes) => classes.len(),
            Self::Number(_) => 1,
        }
    }
}

/// A model and all that is needed to apply it to raw columns.
#[derive(Debug, Clone, Copy)]
pub struct Model<'a> {
    weights: &'a Weights,
    features: &'a FeatureMap,
    columns: &'a [String],
    answer: Answer<'a>,
    metadata: &'a BTreeMap<String, String>,
}

/// A model that cannot be exported.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Weights that are not for these features or answers.
    #[error("the model has {} inputs and {} outputs, its description {} and {}", have.inputs, have.outputs, need.inputs, need.outputs)]
    Shape {
        /// Of the weights.
        have: Shape,
        /// Of features and answer.
        need: Shape,
    },
    /// A feature map that makes no sense.
    #[error(transparent)]
    Features(#[from] DataError),
    /// An archive that cannot be written.
    #[error("the archive cannot be written: {0}")]
    Archive(#[from] zip::result::ZipError),
    /// A description that is no JSON.
    #[error("the description cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

impl<'a> Model<'a> {
    /// Puts a model together: `weights` for the features that `features` makes of the raw columns of these names, and what the scores
    /// mean. `metadata` is kept in the file as it is.
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

    /// An ONNX file (opset 17) from raw columns, `columns`: double (N, C), to `scores`: double (N, K), and `label`: string (N), or, of
    /// a regression, `value`: double (N).
    pub fn onnx(&self) -> Result<Vec<u8>, ExportError> {
        let mut graph = Graph::default();
        graph.input("columns", DataType::Double, &[self.columns.len()]);
        self.onnx_after(graph, "columns")
    }

    /// The same, going on with a graph in which `columns`, double (N, C), is what the columns come from. Its names must not be those of a
    /// model's steps: [`Graph::within`] sees to that.
    pub fn onnx_after(&self, graph: Graph, columns: &str) -> Result<Vec<u8>, ExportError> {
        onnx::encode(self, graph, columns)
    }

    /// An `.npz` archive of NumPy arrays: `weights`, (inputs, outputs), and every constant of the feature map.
    pub fn npz(&self) -> Result<Vec<u8>, ExportError> {
        self.npz_after(Archive::default())
    }

    /// The same, with what is in the archive already.
    pub fn npz_after(&self, archive: Archive) -> Result<Vec<u8>, ExportError> {
        npz::encode(self, archive)
    }

    fn centers(&self) -> Vec<f64> {
        self.features.columns.iter().map(|column| column.center).collect()
    }

    fn spreads(&self) -> Vec<f64> {
        self.features.columns.iter().map(|column| column.spread).collect()
    }
}

/// Lists of indices as one list.
fn indices(lists: &[Vec<usize>]) -> Vec<i64> {
    lists.iter().flatten().map(|&index| index as i64).collect()
}

/// Cells as a matrix, cells times places, whose product with what is at the places sums over each cell: one where a place is in
/// a cell, else zero.
fn membership(cells: &[Vec<usize>], places: usize) -> Vec<f64> {
    let mut matrix = vec![0.0; cells.len() * places];
    for (row, cell) in matrix.chunks_exact_mut(places).zip(cells) {
        cell.iter().for_each(|&place| row[place] = 1.0);
    }
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeatureKind, Image, Matrix};

    pub(super) const KINDS: [FeatureKind; 4] =
        [FeatureKind::Identity, FeatureKind::Polynomial, FeatureKind::RandomRelu(5), FeatureKind::RandomConv(18)];

    /// A model of 36 columns for two classes.
    pub(super) struct Sample {
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
            let features = FeatureMap::fit(&raw, &[(0.0, 64.0); 36], kind, Some(image), 7).unwrap();
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
