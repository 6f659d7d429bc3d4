//! Works out the shapes of a network layer by layer, and enforces the public limits on its size.

use super::input::Input;
use super::layer::Layer;
use super::stage::{Stage, Volume};
use syft::DataError;
use thiserror::Error;

/// Maximum number of parameters of a network.
pub const MAX_PARAMETERS: usize = 16 << 20;
/// Maximum number of layers, without the output.
pub const MAX_LAYERS: usize = 64;
/// Maximum number of activations of all layers together, per row.
pub const MAX_ACTIVATIONS: usize = 16 << 20;
/// Maximum number of multiplications per row.
pub const MAX_WORK: usize = 1 << 32;

/// A description that is not a valid network.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum NetworkError {
    /// The constants of the input are outside their range.
    #[error("the network's input: {0}")]
    Input(#[from] DataError),
    /// There are no columns or no scores.
    #[error("the network has no {0}")]
    Nothing(&'static str),
    /// There are too many layers.
    #[error("the network has {0} layers; at most {MAX_LAYERS} are allowed")]
    Layers(usize),
    /// A layer does not fit the one before it.
    #[error("layer {layer} ({name}) does not fit: {why}")]
    Layer {
        /// Index of the layer, from 1.
        layer: usize,
        /// Kind of the layer.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The network exceeds a public limit.
    #[error("the network has {have} {what}; at most {most} are allowed")]
    TooLarge {
        /// The quantity that is limited.
        what: &'static str,
        /// Its value.
        have: usize,
        /// Its limit.
        most: usize,
    },
}

/// The layers so far, with their shapes and sizes.
pub(super) struct Plan {
    pub(super) stages: Vec<Stage>,
    now: Volume,
    is_image: bool,
    parameters: usize,
    activations: usize,
    work: usize,
}

impl Plan {
    pub(super) fn new(input: &Input) -> Self {
        let now = Volume::from(input);
        let is_image = matches!(input, Input::Image { .. });
        Self { stages: Vec::new(), now, is_image, parameters: 0, activations: now.numbers(), work: 0 }
    }

    pub(super) fn add(&mut self, layer: &Layer) -> Result<(), String> {
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

    /// The image after a square window of this side moved over it.
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

    pub(super) fn dense(&mut self, outputs: usize) {
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

    pub(super) fn check(&self) -> Result<(), NetworkError> {
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
