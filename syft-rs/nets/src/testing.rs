//! Fixtures that several tests need.

use crate::NetworkKind;
use crate::network::{Input, Network};
use syft::{Column, Task};

/// Columns that need no standardisation.
pub(crate) fn columns(count: usize) -> Input {
    Input::Columns(vec![Column { center: 0.0, spread: 1.0 }; count])
}

/// An image that needs no standardisation.
pub(crate) fn image(height: usize, width: usize, channels: usize) -> Input {
    Input::Image { height, width, channels: vec![Column { center: 0.0, spread: 1.0 }; channels] }
}

/// A network with every kind of layer, for images of 8×8.
pub(crate) fn small_cnn() -> Network {
    NetworkKind::Cnn(vec![3, 4]).network(image(8, 8, 1), 3).unwrap()
}

/// A task with this number of classes.
pub(crate) fn classes(count: usize) -> Task {
    Task::Classification { classes: (0..count).map(|class| class.to_string()).collect() }
}
