//! Builds ONNX graphs node by node.

use super::super::answer::Answer;
use super::proto::{
    AttributeProto, DataType, DimensionProto, GraphProto, INT, INTS, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;
use std::collections::BTreeMap;

/// Version of the operators, and of the file format that belongs to it.
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// An ONNX graph that is built node by node. Names are unique; a constant that exists is not added again.
#[derive(Debug, Default)]
pub struct Graph(GraphProto);

impl Graph {
    /// Declares an input of N rows, each of shape `row`.
    pub fn input(&mut self, name: &str, kind: DataType, row: &[usize]) {
        self.0.input.push(rows_of(name, kind, row));
    }

    /// Declares an output of N rows, each of shape `row`.
    pub fn output(&mut self, name: &str, kind: DataType, row: &[usize]) {
        self.0.output.push(rows_of(name, kind, row));
    }

    /// Adds a constant number.
    pub fn double(&mut self, name: &str, value: f64) {
        self.doubles(name, &[], &[value]);
    }

    /// Adds a constant tensor of 64-bit floating-point numbers, row-major.
    pub fn doubles(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorProto { raw_data: Some(bytes), ..tensor(name, DataType::Double, shape) });
    }

    /// Adds a constant tensor of 32-bit floating-point numbers, row-major.
    pub fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorProto { raw_data: Some(bytes), ..tensor(name, DataType::Float, shape) });
    }

    /// Adds a constant tensor of 64-bit integers, row-major.
    pub fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorProto { raw_data: Some(bytes), ..tensor(name, DataType::Int64, shape) });
    }

    /// Adds a constant list of strings.
    pub fn strings(&mut self, name: &str, values: &[String]) {
        let string_data = values.iter().map(|value| value.clone().into_bytes()).collect();
        self.constant(TensorProto { string_data, ..tensor(name, DataType::String, &[values.len()]) });
    }

    fn constant(&mut self, tensor: TensorProto) {
        if self.0.initializer.iter().all(|known| known.name != tensor.name) {
            self.0.initializer.push(tensor);
        }
    }

    /// Adds a node without attributes, named like its output.
    pub fn op<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str) {
        self.op_with(kind, inputs, output, &[]);
    }

    /// Adds a node with integers as attributes.
    pub fn op_with<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str, attributes: &[(&str, i64)]) {
        let attribute = |&(name, value): &(&str, i64)| AttributeProto {
            name: name.into(),
            i: Some(value),
            r#type: INT,
            ..AttributeProto::default()
        };
        self.step(kind, inputs, output, attributes.iter().map(attribute).collect());
    }

    /// Adds a node with lists of integers as attributes.
    pub fn op_over<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str, lists: &[(&str, &[i64])]) {
        let attribute = |&(name, values): &(&str, &[i64])| AttributeProto {
            name: name.into(),
            ints: values.into(),
            r#type: INTS,
            ..AttributeProto::default()
        };
        self.step(kind, inputs, output, lists.iter().map(attribute).collect());
    }

    fn step<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str, attribute: Vec<AttributeProto>) {
        self.0.node.push(NodeProto {
            input: inputs.map(String::from).into(),
            output: vec![output.into()],
            name: output.into(),
            op_type: kind.into(),
            attribute,
        });
    }

    /// Declares the outputs of a model: `scores`, double (N, K), which must exist, and `label` or `value`.
    pub fn answer(&mut self, answer: Answer<'_>) {
        self.output("scores", DataType::Double, &[answer.outputs()]);
        match answer {
            Answer::Class(classes) => {
                // The name of the class with the greatest score; of equal scores, the first.
                self.strings("classes", classes);
                self.op_with("ArgMax", ["scores"], "class", &[("axis", 1), ("keepdims", 0)]);
                self.op("Gather", ["classes", "class"], "label");
                self.output("label", DataType::String, &[]);
            }
            Answer::Number(target) => {
                // The score on the scale of the data.
                self.double("target_center", target.center);
                self.double("target_spread", target.spread);
                self.integers("only_output", &[1], &[1]);
                self.op("Squeeze", ["scores", "only_output"], "score");
                self.op("Mul", ["score", "target_spread"], "score_times_spread");
                self.op("Add", ["score_times_spread", "target_center"], "value");
                self.output("value", DataType::Double, &[]);
            }
        }
    }

    /// The same graph with `prefix` before all names except those of its inputs.
    #[must_use]
    pub fn within(mut self, prefix: &str) -> Self {
        let given: Vec<String> = self.0.input.iter().map(|input| input.name.clone()).collect();
        let rename = |name: &mut String| {
            if !given.contains(name) {
                name.insert_str(0, prefix);
            }
        };
        for node in &mut self.0.node {
            node.input.iter_mut().chain(&mut node.output).chain([&mut node.name]).for_each(rename);
        }
        self.0.initializer.iter_mut().for_each(|tensor| rename(&mut tensor.name));
        self.0.output.iter_mut().for_each(|output| rename(&mut output.name));
        self
    }

    /// The bytes of the file (opset 17) with these metadata.
    #[must_use]
    pub fn file(mut self, metadata: &BTreeMap<String, String>) -> Vec<u8> {
        self.0.name = "model".into();
        let entry =
            |(key, value): (&String, &String)| StringStringEntryProto { key: key.clone(), value: value.clone() };
        let file = ModelProto {
            ir_version: IR_VERSION,
            producer_name: env!("CARGO_PKG_NAME").into(),
            producer_version: env!("CARGO_PKG_VERSION").into(),
            graph: Some(self.0),
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
            metadata_props: metadata.iter().map(entry).collect(),
        };
        file.encode_to_vec()
    }
}

fn tensor(name: &str, kind: DataType, shape: &[usize]) -> TensorProto {
    let dims = shape.iter().map(|&length| length as i64).collect();
    TensorProto { name: name.into(), data_type: kind.into(), dims, ..TensorProto::default() }
}

fn rows_of(name: &str, kind: DataType, row: &[usize]) -> ValueInfoProto {
    let rows = DimensionProto { dim_param: Some("N".into()), dim_value: None };
    let fixed = row.iter().map(|&length| DimensionProto { dim_value: Some(length as i64), dim_param: None });
    let shape = TensorShapeProto { dim: std::iter::once(rows).chain(fixed).collect() };
    let tensor_type = TensorTypeProto { elem_type: kind.into(), shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor_type) }) }
}
