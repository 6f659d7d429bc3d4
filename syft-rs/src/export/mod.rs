//! Finished models in the formats that other programs load: ONNX and NumPy's `.npz`.
//!
//! A linear [`Model`] has the same scores in every program, to the last bit: all is computed in double precision, and no sum is rounded. `npz` and
//! `onnx` each add the methods that write their format; [`Graph`] and [`Archive`] also serve crates that export other models.

mod answer;
mod model;
mod npz;
mod onnx;

pub use answer::{Answer, ExportError};
pub use model::Model;
pub use npz::Archive;
pub use onnx::{DataType, Graph};
