//! Pseudo-random numbers that follow from a seed, the same on every machine and in every version of this program.

use sha2::{Digest, Sha256};

/// `SHA-256(seed ‖ label ‖ index ‖ block)` for block 0, 1, …, as big-endian words; index and block are big-endian too.
pub(crate) struct Stream {
    prefix: Sha256,
    block: u64,
    words: [u64; 4],
    used: usize,
}

impl Stream {
    /// `label` and `index` separate streams of the same seed.
    pub(crate) fn new(seed: &[u8; 32], label: [u8; 8], index: u64) -> Self {
        let prefix = Sha256::new().chain_update(seed).chain_update(label).chain_update(index.to_be_bytes());
        Self { prefix, block: 0, words: [0; 4], used: 4 }
    }

    fn next(&mut self) -> u64 {
        if self.used == self.words.len() {
            let digest: [u8; 32] = self.prefix.clone().chain_update(self.block.to_be_bytes()).finalize().into();
            self.words
                .iter_mut()
                .zip(digest.as_chunks().0)
                .for_each(|(word, bytes)| *word = u64::from_be_bytes(*bytes));
            self.block += 1;
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Uniform in [-1, 1), in steps of 2^-23, which `f32` holds exactly.
    pub(crate) fn symmetric(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// Uniform below a positive bound. Numbers beyond the last multiple of the bound are drawn again, to avoid a bias.
    fn below(&mut self, bound: u64) -> u64 {
        let beyond = u64::MAX - u64::MAX % bound;
        loop {
            let word = self.next();
            if word < beyond {
                return word % bound;
            }
        }
    }

    /// The numbers below `count` in random order.
    pub(crate) fn shuffled(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        (1..count).rev().for_each(|at| order.swap(at, self.below(at as u64 + 1) as usize));
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_label_and_index_and_repeat() {
        let words = |label, index| {
            let mut stream = Stream::new(&[7; 32], label, index);
            (0..9).map(|_| stream.next()).collect::<Vec<_>>()
        };
        assert_eq!(words(*b"testonly", 1), words(*b"testonly", 1));
        assert_ne!(words(*b"testonly", 1), words(*b"testonly", 2));
        assert_ne!(words(*b"testonly", 1), words(*b"testtest", 1));
    }

    #[test]
    fn every_order_is_as_likely() {
        let mut counts = [0; 6];
        for index in 0..6_000 {
            let order = Stream::new(&[3; 32], *b"testonly", index).shuffled(3);
            counts[order[0] * 2 + usize::from(order[1] > order[2])] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
