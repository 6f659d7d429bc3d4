//! A network's public description, and the sizes that follow from it.

use super::input::Input;
use super::layer::Layer;
use super::plan::{MAX_LAYERS, NetworkError, Plan};
use super::stage::Stage;
use serde::{Deserialize, Serialize};

/// Name and shape of one of a network's tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// `layers.N.weight` or `layers.N.bias` with the index of the layer from zero, `output.weight` or `output.bias`.
    pub name: String,
    /// Dimensions in PyTorch's order: filters are (channels, channels before, rows, columns), dense weights (outputs, inputs).
    pub shape: Vec<usize>,
}

/// A network: layers from the input to one score per class, or one number. The last layer, a dense one, is implied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct Network {
    input: Input,
    layers: Vec<Layer>,
    outputs: usize,
    /// One per layer, and the output.
    stages: Vec<Stage>,
}

/// The written form of a network.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Network", deny_unknown_fields)]
struct Description {
    input: Input,
    layers: Vec<Layer>,
    outputs: usize,
}

impl TryFrom<Description> for Network {
    type Error = NetworkError;

    fn try_from(Description { input, layers, outputs }: Description) -> Result<Self, NetworkError> {
        Self::new(input, layers, outputs)
    }
}

impl From<Network> for Description {
    fn from(Network { input, layers, outputs, .. }: Network) -> Self {
        Self { input, layers, outputs }
    }
}

impl Network {
    /// Works out all shapes and checks the public limits. Fails at the first layer that does not fit.
    pub fn new(input: Input, layers: Vec<Layer>, outputs: usize) -> Result<Self, NetworkError> {
        input.check()?;
        if input.columns() == 0 {
            return Err(NetworkError::Nothing("input"));
        }
        if outputs == 0 {
            return Err(NetworkError::Nothing("output"));
        }
        if layers.len() > MAX_LAYERS {
            return Err(NetworkError::Layers(layers.len()));
        }
        let mut plan = Plan::new(&input);
        for (index, layer) in layers.iter().enumerate() {
            plan.add(layer).map_err(|why| NetworkError::Layer { layer: index + 1, name: layer.name(), why })?;
            plan.check()?;
        }
        plan.dense(outputs);
        plan.check()?;
        Ok(Self { input, layers, outputs, stages: plan.stages })
    }

    /// What the network reads.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// The layers, without the output.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Number of scores per row.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Numbers per row before the output layer.
    pub fn activations(&self) -> usize {
        self.hidden().last().map_or_else(|| self.input.columns(), Stage::outputs)
    }

    /// Number of parameters that training changes.
    pub fn parameters(&self) -> usize {
        self.stages.iter().map(Stage::parameters).sum()
    }

    /// Multiplications per row; operations that take as long count as one.
    pub fn work(&self) -> usize {
        self.stages.iter().map(Stage::work).fold(0, usize::saturating_add)
    }

    /// The tensors in the order of the parameters, each row-major.
    pub fn layout(&self) -> Vec<Tensor> {
        let named = |(index, stage): (usize, &Stage)| {
            let (_, shape) = stage.weights()?;
            let layer = if index < self.layers.len() { format!("layers.{index}") } else { "output".into() };
            let bias = Tensor { name: format!("{layer}.bias"), shape: vec![shape[0]] };
            Some([Tensor { name: format!("{layer}.weight"), shape }, bias])
        };
        self.stages.iter().enumerate().filter_map(named).flatten().collect()
    }

    pub(crate) fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// All stages except the output.
    pub(crate) fn hidden(&self) -> &[Stage] {
        &self.stages[..self.layers.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Conv;
    use crate::testing::{columns, image};
    use syft::Column;

    fn refusal(input: Input, layers: Vec<Layer>, outputs: usize) -> String {
        Network::new(input, layers, outputs).unwrap_err().to_string()
    }

    const fn conv(channels: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
        Layer::Conv(Conv { channels, kernel, stride, padding })
    }

    #[test]
    fn shapes_work_out() {
        let layers = vec![conv(4, 3, 2, 1), Layer::Relu, Layer::MaxPool(2), Layer::Dense(7), Layer::Relu];
        let network = Network::new(image(9, 8, 3), layers, 5).unwrap();
        // 9×8 → 5×4 → 2×2.
        assert_eq!(network.stages()[2].outputs(), 4 * 2 * 2);
        assert_eq!(network.activations(), 7);
        let layout: Vec<_> = network.layout().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect();
        let expected = [
            ("layers.0.weight", vec![4, 3, 3, 3]),
            ("layers.0.bias", vec![4]),
            ("layers.3.weight", vec![7, 16]),
            ("layers.3.bias", vec![7]),
            ("output.weight", vec![5, 7]),
            ("output.bias", vec![5]),
        ];
        assert_eq!(layout, expected.map(|(name, shape)| (name.to_string(), shape)));
        let sizes: usize = network.layout().iter().map(|tensor| tensor.shape.iter().product::<usize>()).sum();
        assert_eq!(network.parameters(), sizes);
    }

    #[test]
    fn the_layer_that_does_not_fit_is_named() {
        let not_image = refusal(columns(4), vec![Layer::Relu, conv(4, 3, 1, 0)], 2);
        assert_eq!(
            not_image,
            "layer 2 (conv) does not fit: it needs an image, and what comes before is a row of numbers"
        );
        assert!(refusal(image(4, 4, 1), vec![Layer::Dense(3), Layer::MaxPool(2)], 2).starts_with("layer 2 (max-pool)"));
        assert!(refusal(image(4, 4, 1), vec![conv(4, 5, 1, 0)], 2).contains("5×5 is larger than the image of 4×4"));
        assert!(refusal(image(4, 4, 1), vec![conv(4, 3, 0, 0)], 2).contains("stride must be at least 1"));
        assert!(refusal(image(4, 4, 1), vec![conv(4, 3, 1, 3)], 2).contains("padding of 3"));
        assert!(refusal(image(4, 4, 1), vec![conv(0, 3, 1, 0)], 2).contains("no channels"));
        assert!(refusal(columns(4), vec![Layer::Dense(0)], 2).contains("no outputs"));
    }

    #[test]
    fn limits_hold_for_any_numbers() {
        assert!(refusal(columns(0), vec![], 2).contains("no input"));
        assert!(refusal(columns(3), vec![], 0).contains("no output"));
        assert!(refusal(columns(3), vec![Layer::Relu; MAX_LAYERS + 1], 2).contains("65 layers"));
        assert!(refusal(columns(3), vec![Layer::Dense(usize::MAX)], usize::MAX).contains("parameters"));
        assert!(refusal(image(usize::MAX, usize::MAX, 3), vec![], 1).contains("parameters"));
        assert!(refusal(image(4000, 4000, 1), vec![conv(2, 1, 1, 0)], 1).contains("activations"));
        assert!(refusal(image(1000, 1000, 1), vec![conv(8, 31, 1, 15)], 1).contains("multiplications"));
        let flat = Input::Columns(vec![Column { center: 0.0, spread: 0.0 }]);
        assert!(refusal(flat, vec![], 1).contains("spread 0"));
    }

    #[test]
    fn descriptions_are_checked_when_they_are_read() {
        let network =
            Network::new(image(8, 8, 1), vec![conv(4, 3, 1, 1), Layer::MaxPool(2), Layer::Dense(9)], 3).unwrap();
        let text = serde_json::to_string(&network).unwrap();
        assert!(text.contains(r#"{"max-pool":2},{"dense":9}]"#), "{text}");
        assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), network);
        let refused = |from: &str, to: &str| serde_json::from_str::<Network>(&text.replace(from, to)).is_err();
        assert!(refused("\"max-pool\":2", "\"max-pool\":9"));
        assert!(refused("\"outputs\":3", "\"outputs\":3,\"more\":1"));
        assert!(refused("\"kernel\":3", "\"kernel\":3,\"dilation\":2"));
    }
}
