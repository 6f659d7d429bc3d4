//! Names of networks, as a data scientist writes them in a campaign file.

use crate::network::{Conv, Input, Layer, Network, NetworkError};
use std::fmt;
use std::str::FromStr;

/// A network as named in a campaign file: `mlp:64,32` or `cnn:16,32`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkKind {
    /// Dense layers with these numbers of outputs, each followed by a ReLU.
    Mlp(Vec<usize>),
    /// Convolutions with these numbers of channels, each followed by a ReLU and, while the image has at least four pixels a side, pooled to half the
    /// side.
    Cnn(Vec<usize>),
}

impl NetworkKind {
    /// The network of this kind. Filters have five pixels a side, or three for images below 16 pixels a side.
    pub fn network(&self, input: Input, outputs: usize) -> Result<Network, NetworkError> {
        let layers = match self {
            Self::Mlp(units) => units.iter().flat_map(|&units| [Layer::Dense(units), Layer::Relu]).collect(),
            Self::Cnn(channels) => convolutions(channels, &input),
        };
        Network::new(input, layers, outputs)
    }
}

fn convolutions(channels: &[usize], input: &Input) -> Vec<Layer> {
    let mut side = match input {
        Input::Columns(_) => 0,
        Input::Image { height, width, .. } => *height.min(width),
    };
    let kernel = if side >= 16 { 5 } else { 3 };
    let mut layers = Vec::new();
    for &channels in channels {
        layers.extend([Layer::Conv(Conv { channels, kernel, stride: 1, padding: kernel / 2 }), Layer::Relu]);
        if side >= 4 {
            layers.push(Layer::MaxPool(2));
            side /= 2;
        }
    }
    layers
}

impl fmt::Display for NetworkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, sizes) = match self {
            Self::Mlp(units) => ("mlp", units),
            Self::Cnn(channels) => ("cnn", channels),
        };
        let sizes: Vec<String> = sizes.iter().map(usize::to_string).collect();
        write!(f, "{name}:{}", sizes.join(","))
    }
}

impl FromStr for NetworkKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("`{text}` is not a network: write mlp:64,32 or cnn:16,32, for example");
        let (name, sizes) = text.split_once(':').ok_or_else(unknown)?;
        let sizes = sizes.split(',').map(|size| size.parse().ok().filter(|&size| size > 0));
        let sizes: Vec<usize> = sizes.collect::<Option<_>>().ok_or_else(unknown)?;
        match name {
            "mlp" => Ok(Self::Mlp(sizes)),
            "cnn" => Ok(Self::Cnn(sizes)),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{columns, image};

    #[test]
    fn names_are_read_and_written() {
        for text in ["mlp:64", "mlp:64,32", "cnn:16,32"] {
            assert_eq!(text.parse::<NetworkKind>().unwrap().to_string(), text);
        }
        for text in ["mlp", "mlp:", "mlp:0", "mlp:64,", "rnn:3", "cnn:-1", "cnn:1e9"] {
            let error = text.parse::<NetworkKind>().unwrap_err();
            assert!(error.contains(text) && error.contains("mlp:64,32"), "{error}");
        }
    }

    #[test]
    fn convolutions_fit_any_image() {
        for (side, activations) in [(28, 32 * 7 * 7), (8, 32 * 2 * 2), (2, 32 * 2 * 2), (1, 32)] {
            let network = NetworkKind::Cnn(vec![16, 32]).network(image(side, side, 1), 10).unwrap();
            assert_eq!(network.activations(), activations, "{side}");
        }
        let error = NetworkKind::Cnn(vec![16]).network(columns(30), 2).unwrap_err();
        assert!(error.to_string().contains("needs an image"), "{error}");
        assert_eq!(NetworkKind::Mlp(vec![64, 32]).network(columns(30), 2).unwrap().activations(), 32);
    }
}
