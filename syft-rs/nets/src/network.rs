//! What a network is made of. A description is checked when it is read, so every [`Network`] has shapes that work out and public
//! limits on its size.

use serde::{Deserialize, Serialize};
use syft::{Column, DataError, FEATURE_LIMIT, FeatureKind, FeatureMap, Image, Matrix};
use thiserror::Error;

/// Most numbers that training may change.
pub const MAX_PARAMETERS: usize = 16 << 20;
/// Most layers, the output not counted.
pub const MAX_LAYERS: usize = 64;
/// Most numbers that come out of all layers together for one row.
pub const MAX_ACTIVATIONS: usize = 16 << 20;
/// Most multiplications for one row.
pub const MAX_WORK: usize = 1 << 32;

/// A description of no network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The input makes no sense.
    #[error("the network's input: {0}")]
    Input(#[from] DataError),
    /// There must be something to read and something to say.
    #[error("the network has no {0}")]
    Nothing(&'static str),
    /// Too many layers.
    #[error("{0} layers are more than the {MAX_LAYERS} that a network may have")]
    Layers(usize),
    /// A layer that does not go with what comes before.
    #[error("layer {layer} ({name}) does not fit: {why}")]
    Layer {
        /// Which one, counted from one.
        layer: usize,
        /// Its kind.
        name: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Larger than the public limits.
    #[error("the network has {have} {what}; at most {most} are allowed")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How many.
        have: usize,
        /// How many are allowed.
        most: usize,
    },
}

/// What a row of raw columns is, and the public constants that standardise it: `(x - center) / spread`, cut off at ±64.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// Numbers, each with its own constants.
    Columns(Vec<Column>),
    /// An image: row by row from the top, the channels of a pixel next to each other.
    Image {
        /// Pixels from top to bottom.
        height: usize,
        /// Pixels from left to right.
        width: usize,
        /// The constants of each channel.
        channels: Vec<Column>,
    },
}

impl Input {
    /// Chooses constants from validation examples and the public ranges (least, greatest) of the columns: means and spreads of numbers,
    /// rounded to four digits, become known; the pixels of each channel take their common range onto [0, 1].
    pub fn fit(validation: &Matrix, ranges: &[(f64, f64)], image: Option<Image>) -> Result<Self, DataError> {
        let Some(image) = image else {
            return Ok(Self::Columns(FeatureMap::fit(validation, ranges, FeatureKind::Identity, None, 0)?.columns));
        };
        if validation.columns() != ranges.len() {
            return Err(DataError::Columns { have: validation.columns(), need: ranges.len() });
        }
        if ranges.len() != image.columns() || image.channels == 0 {
            return Err(DataError::Columns { have: ranges.len(), need: image.columns() });
        }
        let channel = |channel: usize| {
            let ranges = ranges.iter().skip(channel).step_by(image.channels);
            let (least, greatest) =
                ranges.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), range| (a.min(range.0), b.max(range.1)));
            Column { center: least, spread: greatest - least }
        };
        let input = Self::Image {
            height: image.height,
            width: image.width,
            channels: (0..image.channels).map(channel).collect(),
        };
        input.check()?;
        Ok(input)
    }

    /// Number of raw columns.
    pub fn columns(&self) -> usize {
        match self {
            Self::Columns(columns) => columns.len(),
            Self::Image { height, width, channels } => height.saturating_mul(*width).saturating_mul(channels.len()),
        }
    }

    /// Of each column, or of each channel of a pixel.
    pub(crate) fn constants(&self) -> &[Column] {
        match self {
            Self::Columns(constants) | Self::Image { channels: constants, .. } => constants,
        }
    }

    fn check(&self) -> Result<(), DataError> {
        for (index, Column { center, spread }) in self.constants().iter().enumerate() {
            let name = |what: &str| format!("{what} {index}");
            if !center.is_finite() {
                return Err(DataError::Constant { name: name("center"), value: *center, must: "finite" });
            }
            if !(spread.is_finite() && *spread > 0.0) {
                return Err(DataError::Constant { name: name("spread"), value: *spread, must: "positive" });
            }
        }
        Ok(())
    }

    fn volume(&self) -> Volume {
        match self {
            Self::Columns(columns) => Volume { channels: columns.len(), height: 1, width: 1 },
            Self::Image { height, width, channels } => {
                Volume { channels: channels.len(), height: *height, width: *width }
            }
        }
    }

    /// A row of raw columns as the network reads it: channel by channel. Missing columns count as zero.
    pub(crate) fn read(&self, raw: &[f64], row: &mut [f32]) {
        let places = self.columns() / self.constants().len().max(1);
        for (channel, (constants, out)) in self.constants().iter().zip(row.chunks_exact_mut(places)).enumerate() {
            for (x, place) in raw.iter().skip(channel).step_by(self.constants().len()).zip(out) {
                *place = ((x - constants.center) / constants.spread).clamp(-FEATURE_LIMIT, FEATURE_LIMIT) as f32;
            }
        }
    }
}

/// What is done to the numbers that the layer before gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Layer {
    /// Square filters over an image.
    Conv(Conv),
    /// The greatest number of each square of this side; squares do not overlap, and what is left over at the right and below is left out.
    MaxPool(usize),
    /// `max(0, x)`.
    Relu,
    /// So many combinations of all numbers. An image is read channel by channel.
    Dense(usize),
}

/// Square filters over an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// Number of filters.
    pub channels: usize,
    /// Pixels of a filter's side.
    pub kernel: usize,
    /// Pixels from one place to the next.
    #[serde(default = "one")]
    pub stride: usize,
    /// Zeros around the image.
    #[serde(default)]
    pub padding: usize,
}

const fn one() -> usize {
    1
}

impl Layer {
    const fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::MaxPool(_) => "max-pool",
            Self::Relu => "relu",
            Self::Dense(_) => "dense",
        }
    }
}

/// Numbers in channels of pixels; a row of numbers has one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Volume {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Volume {
    const fn row(count: usize) -> Self {
        Self { channels: count, height: 1, width: 1 }
    }

    pub(crate) const fn places(self) -> usize {
        self.height.saturating_mul(self.width)
    }

    pub(crate) const fn numbers(self) -> usize {
        self.channels.saturating_mul(self.places())
    }
}

/// A layer with all shapes worked out. Parameters lie at `at` in the network's: first weights, then biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Conv { conv: Conv, from: Volume, to: Volume, at: usize },
    MaxPool { size: usize, from: Volume, to: Volume },
    Relu { count: usize },
    Dense { inputs: usize, outputs: usize, at: usize },
}

impl Stage {
    /// Numbers that come out.
    pub(crate) const fn outputs(&self) -> usize {
        match self {
            Self::Conv { to, .. } | Self::MaxPool { to, .. } => to.numbers(),
            Self::Relu { count } => *count,
            Self::Dense { outputs, .. } => *outputs,
        }
    }

    /// Shape of the weights, whose first dimension is the number of biases; none without parameters.
    pub(crate) fn weights(&self) -> Option<(usize, Vec<usize>)> {
        match *self {
            Self::Conv { conv, from, at, .. } => {
                Some((at, vec![conv.channels, from.channels, conv.kernel, conv.kernel]))
            }
            Self::Dense { inputs, outputs, at } => Some((at, vec![outputs, inputs])),
            Self::MaxPool { .. } | Self::Relu { .. } => None,
        }
    }

    const fn parameters(&self) -> usize {
        match self {
            Self::Conv { conv, from, .. } => {
                let filter = from.channels.saturating_mul(conv.kernel).saturating_mul(conv.kernel);
                conv.channels.saturating_mul(filter.saturating_add(1))
            }
            Self::Dense { inputs, outputs, .. } => outputs.saturating_mul(inputs.saturating_add(1)),
            Self::MaxPool { .. } | Self::Relu { .. } => 0,
        }
    }

    const fn work(&self) -> usize {
        match self {
            Self::Conv { to, .. } => self.parameters().saturating_mul(to.places()),
            Self::MaxPool { size, to, .. } => to.numbers().saturating_mul(*size).saturating_mul(*size),
            Self::Relu { count } => *count,
            Self::Dense { .. } => self.parameters(),
        }
    }
}

/// One of a network's tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// `layers.N.weight` or `layers.N.bias` with the index of the layer from zero, `output.weight` or `output.bias`.
    pub name: String,
    /// As PyTorch has them: filters are (channels, channels before, rows, columns), dense weights (outputs, inputs).
    pub shape: Vec<usize>,
}

/// A network: layers from the input to one score a class, or one number. The last layer, a dense one, is implied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Description", into = "Description")]
pub struct Network {
    input: Input,
    layers: Vec<Layer>,
    outputs: usize,
    /// One a layer, and the output.
    stages: Vec<Stage>,
}

/// A network as it is written.
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
    /// Works out all shapes and checks the public limits.
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

    /// What it reads.
    pub const fn input(&self) -> &Input {
        &self.input
    }

    /// Its layers, without the output.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Number of scores.
    pub const fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of numbers before the output layer.
    pub fn activations(&self) -> usize {
        self.hidden().last().map_or_else(|| self.input.columns(), Stage::outputs)
    }

    /// Number of numbers that training changes.
    pub fn parameters(&self) -> usize {
        self.stages.iter().map(Stage::parameters).sum()
    }

    /// Multiplications, or what takes as long, that a row needs.
    pub fn work(&self) -> usize {
        self.stages.iter().map(Stage::work).fold(0, usize::saturating_add)
    }

    /// Numbers that each thread holds while it applies the network, besides the weights.
    pub fn scratch(&self) -> usize {
        crate::forward::scratch(self)
    }

    /// Its tensors, in the order of the parameters; each is row-major.
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

    /// All stages but the output.
    pub(crate) fn hidden(&self) -> &[Stage] {
        &self.stages[..self.layers.len()]
    }
}

/// A network as far as it is worked out.
struct Plan {
    stages: Vec<Stage>,
    now: Volume,
    is_image: bool,
    parameters: usize,
    activations: usize,
    work: usize,
}

impl Plan {
    fn new(input: &Input) -> Self {
        let now = input.volume();
        let is_image = matches!(input, Input::Image { .. });
        Self { stages: Vec::new(), now, is_image, parameters: 0, activations: now.numbers(), work: 0 }
    }

    fn add(&mut self, layer: &Layer) -> Result<(), String> {
        match *layer {
            Layer::Conv(conv) => {
                let to = self.window(conv.kernel, conv.stride, conv.padding)?;
                if conv.channels == 0 {
                    return Err("it has no channels".into());
                }
                if conv.padding >= conv.kernel {
                    return Err(format!("padding of {} is not less than the kernel of {}", conv.padding, conv.kernel));
                }
                let to = Volume { channels: conv.channels, ..to };
                self.push(Stage::Conv { conv, from: self.now, to, at: self.parameters }, to);
            }
            Layer::MaxPool(size) => {
                let to = self.window(size, size, 0)?;
                self.push(Stage::MaxPool { size, from: self.now, to }, to);
            }
            Layer::Relu => self.push(Stage::Relu { count: self.now.numbers() }, self.now),
            Layer::Dense(0) => return Err("it has no outputs".into()),
            Layer::Dense(outputs) => self.dense(outputs),
        }
        Ok(())
    }

    /// The image after a square window of this side went over it.
    fn window(&self, side: usize, stride: usize, padding: usize) -> Result<Volume, String> {
        if !self.is_image {
            return Err("it needs an image, and what comes before is a row of numbers".into());
        }
        if side == 0 || stride == 0 {
            return Err("its side and stride must be at least 1".into());
        }
        let places = |pixels: usize| {
            let room = pixels.saturating_add(padding.saturating_mul(2));
            room.checked_sub(side).map(|rest| rest / stride + 1)
        };
        match (places(self.now.height), places(self.now.width)) {
            (Some(height), Some(width)) => Ok(Volume { height, width, ..self.now }),
            _ => Err(format!(
                "its window of {side}×{side} is larger than the image of {}×{} before it",
                self.now.height, self.now.width
            )),
        }
    }

    fn dense(&mut self, outputs: usize) {
        let stage = Stage::Dense { inputs: self.now.numbers(), outputs, at: self.parameters };
        self.push(stage, Volume::row(outputs));
        self.is_image = false;
    }

    fn push(&mut self, stage: Stage, to: Volume) {
        self.parameters = self.parameters.saturating_add(stage.parameters());
        self.activations = self.activations.saturating_add(stage.outputs());
        self.work = self.work.saturating_add(stage.work());
        self.now = to;
        self.stages.push(stage);
    }

    fn check(&self) -> Result<(), NetworkError> {
        let limits = [
            ("parameters", self.parameters, MAX_PARAMETERS),
            ("activations a row", self.activations, MAX_ACTIVATIONS),
            ("multiplications a row", self.work, MAX_WORK),
        ];
        match limits.into_iter().find(|(_, have, most)| have > most) {
            Some((what, have, most)) => Err(NetworkError::TooLarge { what, have, most }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, image};

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

    #[test]
    fn pixels_are_read_channel_by_channel() {
        let channels = vec![Column { center: 0.0, spread: 2.0 }, Column { center: 1.0, spread: 1.0 }];
        let input = Input::Image { height: 1, width: 3, channels };
        let mut row = [0.0; 6];
        input.read(&[2.0, 1.0, 4.0, 2.0, 6.0, 1e9], &mut row);
        assert_eq!(row, [1.0, 2.0, 3.0, 0.0, 1.0, 64.0]);
    }

    #[test]
    fn constants_are_chosen_from_ranges() {
        let validation = Matrix::new(2, 4, (0..8).map(f64::from).collect()).unwrap();
        let ranges = [(0.0, 255.0), (0.0, 1.0), (0.0, 255.0), (-1.0, 1.0)];
        let image = Some(Image { height: 1, width: 2, channels: 2 });
        let Input::Image { channels, .. } = Input::fit(&validation, &ranges, image).unwrap() else { unreachable!() };
        let expected = [Column { center: 0.0, spread: 255.0 }, Column { center: -1.0, spread: 2.0 }];
        assert_eq!(channels, expected);
        assert!(Input::fit(&validation, &ranges[..3], image).is_err());
        assert_eq!(Input::fit(&validation, &ranges, None).unwrap().columns(), 4);
    }
}
