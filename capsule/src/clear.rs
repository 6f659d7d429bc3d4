//! The clear regime: the model is published as it is, and updates are networks' changes in the clear once they are opened.

use sha2::{Digest as _, Sha256};
use sonar_protocol::method::Clear;
use syft_nets::Update;

/// What Mines fetch, the very file, and its hash, which updates name.
pub fn material(model: &[u8]) -> (Vec<u8>, [u8; 32]) {
    (model.to_vec(), Sha256::digest(model).into())
}

/// An update, if it was made for exactly this network and release and from the model with this hash.
pub fn update(bytes: &[u8], clear: &Clear, material: &[u8; 32]) -> Option<Update> {
    Update::decode(bytes, &clear.network, &clear.release, material).ok()
}
