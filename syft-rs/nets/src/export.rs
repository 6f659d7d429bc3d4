//! Networks in the formats that other programs load: ONNX and NumPy's `.npz`. Other programs add in another order, so the last bits of a score
//! may differ.

use crate::model::{ACTIVATION_LIMIT, Model};
use crate::network::{Conv, Input, Stage};
use std::collections::BTreeMap;
use syft::export::{Answer, Archive, DataType, ExportError, Graph};
use syft::{Column, DataError, FEATURE_LIMIT, Shape};

/// Name of the last layer.
const OUTPUT: &str = "output";

impl Model {
    /// An ONNX file (opset 17) from raw columns, `columns`: double (N, C), to `scores`: double (N, K), and to `label`: string (N), or, for a
    /// regression, to `value`: double (N). `metadata` is written to the file unchanged.
    pub fn onnx(&self, answer: Answer<'_>, metadata: &BTreeMap<String, String>) -> Result<Vec<u8>, ExportError> {
        self.check(answer)?;
        let (mut graph, (hidden, is_image)) = self.hidden();
        self.constants(&mut graph, |name| name.starts_with(OUTPUT));
        if let Some(output) = self.network().stages().last() {
            let (scores, _) = step(&mut graph, OUTPUT, output, (hidden, is_image));
            graph.op_with("Cast", [&scores], "scores", &[("to", DataType::Double as i64)]);
        }
        graph.answer(answer);
        Ok(graph.file(metadata))
    }

    /// A graph from raw columns, `columns`: double (N, C), to the result of [`Model::embed`], and the name of that tensor, double (N, A). Names of
    /// the graph's own nodes begin with `backbone.`.
    pub fn activations_onnx(&self) -> (Graph, String) {
        let (mut graph, (hidden, is_image)) = self.hidden();
        let step = if is_image { "Flatten" } else { "Identity" };
        graph.op(step, [&hidden], "flat");
        graph.op_with("Cast", ["flat"], "doubles", &[("to", DataType::Double as i64)]);
        graph.double("least_activation", -ACTIVATION_LIMIT);
        graph.double("greatest_activation", ACTIVATION_LIMIT);
        graph.op("Clip", ["doubles", "least_activation", "greatest_activation"], "activations");
        (graph.within("backbone."), "backbone.activations".into())
    }

    /// A graph from `columns` to the input of the output layer, the name of that tensor, and whether it is an image.
    fn hidden(&self) -> (Graph, (String, bool)) {
        let mut graph = Graph::default();
        graph.input("columns", DataType::Double, &[self.network().input().columns()]);
        let read = read(&mut graph, self.network().input());
        self.constants(&mut graph, |name| !name.starts_with(OUTPUT));
        let mut now = (read, matches!(self.network().input(), Input::Image { .. }));
        for (index, stage) in self.network().hidden().iter().enumerate() {
            now = step(&mut graph, &format!("layers.{index}"), stage, now);
        }
        (graph, now)
    }

    fn constants(&self, graph: &mut Graph, which: impl Fn(&str) -> bool) {
        let chosen = self.tensors().filter(|(tensor, _)| which(&tensor.name));
        chosen.for_each(|(tensor, values)| graph.floats(&tensor.name, &tensor.shape, values));
    }

    /// An `.npz` archive of NumPy arrays: the tensors by name, `columns`, `center` and `spread` of each column, `network` as JSON, `metadata`, and
    /// `classes` or `target_center` and `target_spread`.
    pub fn npz(
        &self,
        columns: &[String],
        answer: Answer<'_>,
        metadata: &BTreeMap<String, String>,
    ) -> Result<Vec<u8>, ExportError> {
        self.check(answer)?;
        let mut archive = Archive::default();
        self.add_to(&mut archive, "", columns)?;
        match answer {
            Answer::Class(classes) => archive.strings("classes", &[classes.len()], classes)?,
            Answer::Number(target) => {
                archive.doubles("target_center", &[], &[target.center])?;
                archive.doubles("target_spread", &[], &[target.spread])?;
            }
        }
        archive.strings("metadata", &[], &[serde_json::to_string(metadata)?])?;
        archive.finish()
    }

    /// Adds the network to an archive: its tensors, `columns`, `center`, `spread` and `network`, each name after `prefix`. Fails unless there is one
    /// name per column.
    pub fn add_to(&self, archive: &mut Archive, prefix: &str, columns: &[String]) -> Result<(), ExportError> {
        let (centers, spreads) = constants(self.network().input());
        if columns.len() != centers.len() {
            return Err(DataError::Columns { have: columns.len(), need: centers.len() }.into());
        }
        let named = |name: &str| format!("{prefix}{name}");
        for (tensor, values) in self.tensors() {
            archive.floats(&named(&tensor.name), &tensor.shape, values)?;
        }
        archive.strings(&named("columns"), &[columns.len()], columns)?;
        archive.doubles(&named("center"), &[centers.len()], &centers)?;
        archive.doubles(&named("spread"), &[spreads.len()], &spreads)?;
        archive.strings(&named("network"), &[], &[serde_json::to_string(self.network())?])
    }

    fn check(&self, answer: Answer<'_>) -> Result<(), ExportError> {
        let inputs = self.network().input().columns();
        let have = Shape { inputs, outputs: self.network().outputs() };
        let need = Shape { inputs, outputs: answer.outputs() };
        if have == need { Ok(()) } else { Err(ExportError::Shape { have, need }) }
    }
}

/// Centre and spread of every raw column.
fn constants(input: &Input) -> (Vec<f64>, Vec<f64>) {
    let constants = input.constants();
    let columns = constants.iter().cycle().take(input.columns());
    columns.map(|&Column { center, spread }| (center, spread)).unzip()
}

/// Adds the nodes that standardise `columns`, and returns the name of their result.
fn read(graph: &mut Graph, input: &Input) -> String {
    let (centers, spreads) = constants(input);
    graph.doubles("center", &[centers.len()], &centers);
    graph.doubles("spread", &[spreads.len()], &spreads);
    graph.double("least", -FEATURE_LIMIT);
    graph.double("greatest", FEATURE_LIMIT);
    graph.op("Sub", ["columns", "center"], "centred");
    graph.op("Div", ["centred", "spread"], "standardised");
    graph.op("Clip", ["standardised", "least", "greatest"], "clipped");
    graph.op_with("Cast", ["clipped"], "inputs", &[("to", DataType::Float as i64)]);
    let Input::Image { height, width, channels } = input else { return "inputs".into() };
    let shape = [-1, *height as i64, *width as i64, channels.len() as i64];
    graph.integers("image_shape", &[4], &shape);
    graph.op("Reshape", ["inputs", "image_shape"], "pixels");
    graph.op_over("Transpose", ["pixels"], "image", &[("perm", &[0, 3, 1, 2])]);
    "image".into()
}

/// Adds the nodes of one stage after `from`; returns the name of their result, and whether it is an image.
fn step(graph: &mut Graph, name: &str, stage: &Stage, (from, is_image): (String, bool)) -> (String, bool) {
    let (weights, biases) = (format!("{name}.weight"), format!("{name}.bias"));
    match *stage {
        Stage::Conv { conv: Conv { kernel, stride, padding, .. }, .. } => {
            let pair = |x: usize| [x as i64; 2];
            let pads = [padding as i64; 4];
            let lists: [(&str, &[i64]); 3] =
                [("kernel_shape", &pair(kernel)), ("strides", &pair(stride)), ("pads", &pads)];
            graph.op_over("Conv", [from.as_str(), &weights, &biases], name, &lists);
            (name.into(), true)
        }
        Stage::MaxPool { size, .. } => {
            let side = [size as i64; 2];
            graph.op_over("MaxPool", [from.as_str()], name, &[("kernel_shape", &side), ("strides", &side)]);
            (name.into(), true)
        }
        Stage::Relu { .. } => {
            graph.op("Relu", [from.as_str()], name);
            (name.into(), is_image)
        }
        Stage::Dense { .. } => {
            let flat = if is_image { format!("{name}.flat") } else { from.clone() };
            if is_image {
                graph.op("Flatten", [from.as_str()], &flat);
            }
            graph.op_with("Gemm", [flat.as_str(), &weights, &biases], name, &[("transB", 1)]);
            (name.into(), false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::small_cnn;
    use syft::TargetMap;

    fn classes() -> Vec<String> {
        ["left", "middle", "right"].map(String::from).into()
    }

    #[test]
    fn the_same_model_gives_the_same_bytes() {
        let model = Model::initial(&small_cnn(), &[1; 32]);
        let (classes, metadata) = (classes(), BTreeMap::from([("campaign".into(), "bars".into())]));
        let columns: Vec<String> = (0..64).map(|column| format!("p{column}")).collect();
        let answer = Answer::Class(&classes);
        assert_eq!(model.onnx(answer, &metadata).unwrap(), model.onnx(answer, &metadata).unwrap());
        assert_eq!(model.npz(&columns, answer, &metadata).unwrap(), model.npz(&columns, answer, &metadata).unwrap());
        assert!(matches!(model.npz(&columns[1..], answer, &metadata), Err(ExportError::Features(_))));
        let number = Answer::Number(TargetMap { center: 0.0, spread: 1.0 });
        assert!(matches!(model.onnx(number, &metadata), Err(ExportError::Shape { .. })));
    }
}
