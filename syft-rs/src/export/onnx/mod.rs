//! ONNX: the computation from raw columns to an answer as one graph.

mod graph;
mod proto;

use super::answer::ExportError;
use super::model::{Model, indices, membership};
use crate::features::{FEATURE_LIMIT, Recipe};
use crate::lattice::{INPUT_BITS, LATTICE_BITS};

pub use graph::Graph;
pub use proto::DataType;

impl Model<'_> {
    /// An ONNX file (opset 17) from raw columns, `columns`: double (N, C), to `scores`: double (N, K), and to `label`: string (N), or, for a
    /// regression, to `value`: double (N).
    pub fn onnx(&self) -> Result<Vec<u8>, ExportError> {
        let mut graph = Graph::default();
        graph.input("columns", DataType::Double, &[self.columns.len()]);
        self.onnx_after(graph, "columns")
    }

    /// The same, appended to a `graph` that computes the tensor named `columns`, double (N, C). Names in the graph must differ from those of the
    /// model's steps, see [`Graph::within`].
    pub fn onnx_after(&self, graph: Graph, columns: &str) -> Result<Vec<u8>, ExportError> {
        encode(self, graph, columns)
    }
}

/// The file of a model that reads the tensor named `columns`.
fn encode(model: &Model<'_>, mut graph: Graph, columns: &str) -> Result<Vec<u8>, ExportError> {
    features(&mut graph, model, columns)?;
    scores(&mut graph, model);
    graph.answer(model.answer);
    Ok(graph.file(model.metadata))
}

/// From the columns to `features`.
fn features(graph: &mut Graph, model: &Model<'_>, columns: &str) -> Result<(), ExportError> {
    let map = model.features;
    graph.doubles("center", &[map.columns.len()], &model.centers());
    graph.doubles("spread", &[map.columns.len()], &model.spreads());
    graph.double("scale", map.scale);
    graph.op("Sub", [columns, "center"], "centred");
    graph.op("Div", ["centred", "spread"], "standardised");
    let expanded = expand(graph, map.columns.len(), &map.recipe()?);
    graph.op("Mul", [expanded, "scale"], "scaled");
    round(graph, "scaled", LATTICE_BITS, "lattice", "rounded");

    graph.double("constant", map.constant());
    graph.integers("one_column_more", &[4], &[0, 0, 0, 1]);
    graph.op("Pad", ["rounded", "one_column_more", "constant"], "rows");
    shorten(graph, map.clip);
    Ok(())
}

/// Expands the standardised columns, and returns the name of the result.
fn expand(graph: &mut Graph, columns: usize, recipe: &Recipe) -> &'static str {
    if matches!(recipe, Recipe::Identity) {
        return "standardised";
    }
    round(graph, "standardised", INPUT_BITS, "input_lattice", "inputs");
    match recipe {
        Recipe::Identity => {}
        Recipe::Polynomial => polynomial(graph, columns),
        Recipe::RandomRelu { count, weights, threshold } => {
            graph.doubles("random_weights", &[weights.len() / count, *count], weights);
            relu(graph, "inputs", *threshold);
            center(graph, "active", *count, "expanded");
        }
        Recipe::RandomConv { windows, cells, filters, weights, threshold } => {
            let (places, window) = (windows.len(), weights.len() / filters);
            graph.doubles("random_weights", &[window, *filters], weights);
            graph.integers("windows", &[places, window], &indices(windows));
            graph.op_with("Gather", ["inputs", "windows"], "patches", &[("axis", 1)]);
            relu(graph, "patches", *threshold);
            graph.doubles("cells", &[cells.len(), places], &membership(cells, places));
            graph.op("MatMul", ["cells", "active"], "sums");
            center(graph, "sums", *filters, "centred_sums");
            let areas: Vec<f64> = cells.iter().map(|cell| cell.len() as f64).collect();
            graph.doubles("areas", &[cells.len(), 1], &areas);
            graph.op("Div", ["centred_sums", "areas"], "means");
            graph.op("Flatten", ["means"], "expanded");
        }
    }
    "expanded"
}

/// Rounds to multiples of 2^-bits, ties to even, after clipping to ±[`FEATURE_LIMIT`].
fn round(graph: &mut Graph, from: &str, bits: u32, lattice: &str, to: &str) {
    graph.double("least", -FEATURE_LIMIT);
    graph.double("greatest", FEATURE_LIMIT);
    graph.double(lattice, f64::from(bits).exp2());
    let [clipped, multiple, whole] = ["clipped", "multiple", "whole"].map(|step| format!("{to}_{step}"));
    graph.op("Clip", [from, "least", "greatest"], &clipped);
    graph.op("Mul", [&clipped, lattice], &multiple);
    graph.op("Round", [&multiple], &whole);
    graph.op("Div", [&whole, lattice], to);
}

fn polynomial(graph: &mut Graph, columns: usize) {
    let pairs = || (0..columns as i64).flat_map(move |i| (i..columns as i64).map(move |j| (i, j)));
    let (left, right): (Vec<i64>, Vec<i64>) = pairs().unzip();
    graph.integers("left", &[left.len()], &left);
    graph.integers("right", &[right.len()], &right);
    graph.op_with("Gather", ["inputs", "left"], "left_factors", &[("axis", 1)]);
    graph.op_with("Gather", ["inputs", "right"], "right_factors", &[("axis", 1)]);
    graph.op("Mul", ["left_factors", "right_factors"], "products");
    graph.op_with("Concat", ["inputs", "products"], "expanded", &[("axis", 1)]);
}

/// `active` is `max(0, from · random_weights - threshold)`.
fn relu(graph: &mut Graph, from: &str, threshold: f64) {
    graph.double("threshold", threshold);
    graph.op("MatMul", [from, "random_weights"], "responses");
    graph.op("Sub", ["responses", "threshold"], "above_threshold");
    graph.op("Relu", ["above_threshold"], "active");
}

/// Subtracts the mean over the last dimension. An exact sum and one division, because an operator for the mean may round each step.
fn center(graph: &mut Graph, from: &str, count: usize, to: &str) {
    graph.integers("last", &[1], &[-1]);
    graph.double("count", count as f64);
    graph.op("ReduceSum", [from, "last"], "total");
    graph.op("Div", ["total", "count"], "mean");
    graph.op("Sub", [from, "mean"], to);
}

/// Rows longer than `clip` are shortened, rounded towards zero.
fn shorten(graph: &mut Graph, clip: f64) {
    graph.double("clip", clip);
    graph.integers("within_row", &[1], &[1]);
    graph.op("Mul", ["rows", "rows"], "squares");
    graph.op("ReduceSum", ["squares", "within_row"], "square");
    graph.op("Sqrt", ["square"], "norm");
    graph.op("Mul", ["rows", "clip"], "rows_times_clip");
    graph.op("Div", ["rows_times_clip", "norm"], "shorter");
    graph.op("Mul", ["shorter", "lattice"], "shorter_multiple");
    graph.op("Abs", ["shorter_multiple"], "size");
    graph.op("Floor", ["size"], "whole_size");
    graph.op("Sign", ["shorter_multiple"], "sign");
    graph.op("Mul", ["whole_size", "sign"], "shorter_whole");
    graph.op("Div", ["shorter_whole", "lattice"], "shortened");
    graph.op("Greater", ["norm", "clip"], "is_long");
    graph.op("Where", ["is_long", "shortened", "rows"], "features");
}

fn scores(graph: &mut Graph, model: &Model<'_>) {
    let shape = model.weights.shape();
    graph.doubles("weights", &[shape.inputs, shape.outputs], model.weights.values());
    graph.op("MatMul", ["features", "weights"], "scores");
}

#[cfg(test)]
mod tests {
    use super::super::answer::Answer;
    use super::super::model::tests::{KINDS, Sample};
    use super::*;
    use crate::{FeatureKind, Shape, TargetMap, Weights};
    use prost::Message;
    use proto::{GraphProto, ModelProto};
    use std::collections::HashSet;

    fn decode(bytes: &[u8]) -> (ModelProto, GraphProto) {
        let mut file = ModelProto::decode(bytes).unwrap();
        let graph = file.graph.take().unwrap();
        (file, graph)
    }

    fn outputs(graph: &GraphProto) -> Vec<&str> {
        graph.output.iter().map(|output| output.name.as_str()).collect()
    }

    #[test]
    fn every_step_reads_what_was_written_once_before() {
        for kind in KINDS {
            let (_, graph) = decode(&Sample::new(kind).model().onnx().unwrap());
            let mut known: HashSet<String> = graph.input.iter().map(|input| input.name.clone()).collect();
            for tensor in &graph.initializer {
                assert!(known.insert(tensor.name.clone()), "{kind}: {} twice", tensor.name);
            }
            for node in graph.node.clone() {
                assert!(node.input.iter().all(|input| known.contains(input)), "{kind}: {node:?}");
                assert!(node.output.into_iter().all(|output| known.insert(output)), "{kind}: {}", node.name);
            }
            assert!(outputs(&graph).iter().all(|output| known.contains(*output)));
        }
    }

    #[test]
    fn the_file_says_what_it_is() {
        let sample = Sample::new(FeatureKind::Identity);
        let (file, graph) = decode(&sample.model().onnx().unwrap());
        assert_eq!((file.ir_version, file.opset_import[0].version), (8, 17));
        assert_eq!((file.metadata_props[0].key.as_str(), file.metadata_props[0].value.as_str()), ("campaign", "test"));
        assert_eq!(outputs(&graph), ["scores", "label"]);
        let weights = graph.initializer.iter().find(|tensor| tensor.name == "weights").unwrap();
        let bytes: Vec<u8> = sample.weights.values().iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!((weights.dims.as_slice(), weights.raw_data.as_ref()), (&[37, 2][..], Some(&bytes)));
    }

    #[test]
    fn a_regression_yields_a_value() {
        let mut sample = Sample::new(FeatureKind::Polynomial);
        sample.weights = Weights::zeros(Shape { outputs: 1, ..sample.weights.shape() });
        let model = sample.model_for(Answer::Number(TargetMap { center: 2.0, spread: 3.0 })).unwrap();
        assert_eq!(outputs(&decode(&model.onnx().unwrap()).1), ["scores", "value"]);
    }
}
