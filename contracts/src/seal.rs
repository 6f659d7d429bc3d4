//! Commitments of a Capsule to a published version: Merkle trees in the form that the contract verifies.

use alloy::{
    primitives::{B256, keccak256},
    sol_types::SolValue,
};

use crate::{Handover, Publication};

/// Size in bytes of a material's first chunk, its header.
pub const HEADER: usize = 200;
/// Size in bytes of the other chunks: a whole number of words of the encryption.
pub const CHUNK: usize = 960;

/// A Merkle tree over numbered byte strings. Leaves contain their number and are hashed twice, so that an inner node
/// cannot pass as a leaf. Pairs are hashed in the order of their values, so that branches need no directions.
#[derive(Clone, Debug)]
pub struct Tree {
    /// Levels from the leaves to the root.
    levels: Vec<Vec<B256>>,
}

impl Tree {
    /// Builds the tree over these numbers and pieces.
    #[must_use]
    pub fn new<P: AsRef<[u8]>>(pieces: impl IntoIterator<Item = (u32, P)>) -> Self {
        let leaves = pieces.into_iter().map(|(index, piece)| leaf(index, piece.as_ref())).collect();
        let mut levels: Vec<Vec<B256>> = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            // A node without a sibling moves up unchanged.
            let next = level
                .chunks(2)
                .map(|pair| pair.iter().copied().reduce(parent).expect("chunks are not empty"))
                .collect();
            levels.push(next);
        }
        Self { levels }
    }

    /// Builds the tree over the chunks of a material, header first.
    #[must_use]
    pub fn of_material(material: &[u8]) -> Self {
        Self::new((0..).zip(chunks(material)))
    }

    /// The root; zero for an empty tree.
    #[must_use]
    pub fn root(&self) -> B256 {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The siblings on the path from the leaf at this index to the root.
    #[must_use]
    pub fn branch(&self, place: usize) -> Vec<B256> {
        let sibling = |(height, level): (usize, &Vec<B256>)| level.get(place >> height ^ 1).copied();
        self.levels.iter().enumerate().filter_map(sibling).collect()
    }
}

/// The chunks of a material: its header, and then its words.
pub fn chunks(material: &[u8]) -> impl Iterator<Item = &[u8]> {
    let (header, words) = material.split_at(HEADER.min(material.len()));
    std::iter::once(header).chain(words.chunks(CHUNK))
}

/// The commitment to a hand-over in a publication.
#[must_use]
pub fn handover_hash(handover: &Handover) -> B256 {
    keccak256((handover.commitment, handover.point, handover.ciphertext).abi_encode())
}

/// Whether a hand-over matches the commitment of a published version.
#[must_use]
pub fn is_sealed(publication: &Publication, handover: &Handover) -> bool {
    publication.root == handover.root && publication.handover == handover_hash(handover)
}

fn leaf(index: u32, piece: &[u8]) -> B256 {
    keccak256(keccak256([&index.to_be_bytes(), piece].concat()))
}

fn parent(left: B256, right: B256) -> B256 {
    let (first, second) = if left < right { (left, right) } else { (right, left) };
    keccak256([first, second].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_branch_leads_to_the_root() {
        for count in 0..20_u32 {
            let pieces = || (0..count).map(|index| (index, [index as u8; 3]));
            let tree = Tree::new(pieces());
            for (place, (index, piece)) in pieces().enumerate() {
                assert_eq!(tree.branch(place).into_iter().fold(leaf(index, &piece), parent), tree.root());
            }
        }
    }

    #[test]
    fn a_material_has_its_header_and_then_chunks() {
        let sizes = |bytes: usize| chunks(&vec![0; bytes]).map(<[u8]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(HEADER + CHUNK + 7), [HEADER, CHUNK, 7]);
        assert_eq!(sizes(5), [5]);
        assert_ne!(Tree::of_material(&[0; 300]).root(), Tree::of_material(&[0; 301]).root());
    }
}
