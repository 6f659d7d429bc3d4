//! The way of rows from the linear map to a pack: [`Mapped`] rows are re-randomised, [`Rerandomised`] rows are flooded, and only [`Protected`] rows
//! can be packed. Each step consumes the type before it, so the compiler rejects an upload in which a step is missing or comes too late.

use super::parameters::DIMENSION;
use super::random::Coins;
use super::zeros::Zeros;

/// Rows of the linear map's result. They decrypt to the update, but disclose the map to anybody who knows the key and the errors.
pub(super) struct Mapped<'a> {
    words: &'a mut [u64],
    width: usize,
}

/// Rows with fresh encryptions of zero added: their masks are random, but their noise still depends on the map.
pub(super) struct Rerandomised<'a> {
    words: &'a mut [u64],
    width: usize,
}

/// Rows that disclose nothing about the map beyond the update.
pub(super) struct Protected<'a> {
    words: &'a [u64],
    width: usize,
}

impl<'a> Mapped<'a> {
    /// Rows of `width` words each, masks first.
    pub(super) const fn new(words: &'a mut [u64], width: usize) -> Self {
        Self { words, width }
    }

    /// Adds to every row an encryption of zero with coins of its own.
    pub(super) fn rerandomise(self, zeros: &Zeros, coins: &mut Coins) -> Rerandomised<'a> {
        zeros.rerandomise(self.words, self.width, coins);
        Rerandomised { words: self.words, width: self.width }
    }

    /// Leaves out both steps, to measure what they cost.
    #[cfg(feature = "bench")]
    pub(super) const fn unprotected(self) -> Protected<'a> {
        Protected { words: self.words, width: self.width }
    }
}

impl<'a> Rerandomised<'a> {
    /// Floods the noise of every output with a Gaussian of this standard deviation.
    pub(super) fn flood(self, deviation: f64, coins: &mut Coins) -> Protected<'a> {
        for row in self.words.chunks_exact_mut(self.width) {
            coins.add_gaussian(&mut row[DIMENSION..], deviation);
        }
        Protected { words: self.words, width: self.width }
    }

    #[cfg(test)]
    pub(super) const fn words(&self) -> &[u64] {
        self.words
    }
}

impl Protected<'_> {
    /// The rows, one after the other.
    pub(super) const fn words(&self) -> &[u64] {
        self.words
    }

    /// Words of a row.
    pub(super) const fn width(&self) -> usize {
        self.width
    }
}
