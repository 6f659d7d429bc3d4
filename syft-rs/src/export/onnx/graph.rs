//! A graph that is put together step by step. Names are unique; a constant that is there is not added again.

use super::proto::{
    AttributeProto, DataType, DimensionProto, GraphProto, INT, NodeProto, TensorProto, TensorShapeProto,
    TensorTypeProto, TypeProto, ValueInfoProto,
};

#[derive(Default)]
pub(super) struct Graph(GraphProto);

impl Graph {
    /// What the caller gives: N rows, each of this shape.
    pub fn input(&mut self, name: &str, kind: DataType, row: &[usize]) {
        self.0.input.push(rows_of(name, kind, row));
    }

    /// What the caller gets: N rows, each of this shape.
    pub fn output(&mut self, name: &str, kind: DataType, row: &[usize]) {
        self.0.output.push(rows_of(name, kind, row));
    }

    /// A number.
    pub fn double(&mut self, name: &str, value: f64) {
        self.doubles(name, &[], &[value]);
    }

    /// Numbers, row-major.
    pub fn doubles(&mut self, name: &str, shape: &[usize], values: &[f64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorProto { raw_data: Some(bytes), ..tensor(name, DataType::Double, shape) });
    }

    /// Indices, row-major.
    pub fn integers(&mut self, name: &str, shape: &[usize], values: &[i64]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(TensorProto { raw_data: Some(bytes), ..tensor(name, DataType::Int64, shape) });
    }

    /// A list of strings.
    pub fn strings(&mut self, name: &str, values: &[String]) {
        let string_data = values.iter().map(|value| value.clone().into_bytes()).collect();
        self.constant(TensorProto { string_data, ..tensor(name, DataType::String, &[values.len()]) });
    }

    fn constant(&mut self, tensor: TensorProto) {
        if self.0.initializer.iter().all(|known| known.name != tensor.name) {
            self.0.initializer.push(tensor);
        }
    }

    /// A step without attributes, named like its output.
    pub fn op<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str) {
        self.op_with(kind, inputs, output, &[]);
    }

    /// A step with integers as attributes.
    pub fn op_with<const N: usize>(&mut self, kind: &str, inputs: [&str; N], output: &str, attributes: &[(&str, i64)]) {
        let attribute =
            |&(name, value): &(&str, i64)| AttributeProto { name: name.into(), i: Some(value), r#type: INT };
        self.0.node.push(NodeProto {
            input: inputs.map(String::from).into(),
            output: vec![output.into()],
            name: output.into(),
            op_type: kind.into(),
            attribute: attributes.iter().map(attribute).collect(),
        });
    }

    pub fn finish(mut self, name: &str) -> GraphProto {
        self.0.name = name.into();
        self.0
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
