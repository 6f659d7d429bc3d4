//! Positions and levels of an update as bits. The layout depends only on public constants, so sizes disclose nothing.

use crate::bits::{BitReader, BitWriter};
use crate::release::Release;
use syft::wire::{Fields, Format, FormatError};

/// Sizes in the encoding of an update.
pub(crate) struct Layout {
    parameters: usize,
    kept: usize,
    level_bits: usize,
    /// Lower bits of a position; none if all coordinates are sent.
    low: Option<u32>,
}

impl Layout {
    const HEADER: usize = Format::HEADER + 32 + 4;

    pub(crate) fn new(parameters: usize, release: &Release) -> Self {
        let kept = release.kept(parameters);
        let low = (kept < parameters).then(|| (parameters / kept).ilog2());
        Self { parameters, kept, level_bits: release.bits as usize, low }
    }

    const fn high_bits(&self, low: u32) -> usize {
        self.kept + ((self.parameters - 1) >> low)
    }

    fn bits(&self) -> usize {
        let positions = self.low.map_or(0, |low| self.high_bits(low) + self.kept * low as usize);
        positions + self.kept * self.level_bits
    }

    pub(crate) fn bytes(&self) -> usize {
        Self::HEADER + self.bits().div_ceil(8)
    }

    /// Appends positions (ascending) and levels, bit by bit, to the header: the positions by Elias and Fano (upper parts in unary numbers,
    /// lower parts as they are) unless all coordinates are sent, then the levels.
    pub(crate) fn write(&self, header: Vec<u8>, release: &Release, positions: &[usize], levels: &[i32]) -> Vec<u8> {
        let mut bits = BitWriter::after(header);
        if let Some(low) = self.low {
            let mut high = 0;
            for &position in positions {
                (high..position >> low).for_each(|_| bits.put(0, 1));
                bits.put(1, 1);
                high = position >> low;
            }
            (high..(self.parameters - 1) >> low).for_each(|_| bits.put(0, 1));
            positions.iter().for_each(|&position| bits.put(position, low));
        }
        let largest = release.largest();
        levels.iter().for_each(|level| bits.put((level + largest) as usize, release.bits));
        bits.finish()
    }

    /// Reads positions and levels from untrusted bytes. Fails unless [`Self::write`] would write the same bytes.
    pub(crate) fn read(&self, fields: &mut Fields, release: &Release) -> Result<(Vec<usize>, Vec<i32>), FormatError> {
        let mut bits = BitReader::new(fields.rest());
        let positions = match self.low {
            None => (0..self.parameters).collect(),
            Some(low) => self.positions(&mut bits, low)?,
        };
        let largest = release.largest();
        let level = |_| bits.number(release.bits) as i32 - largest;
        let levels: Vec<i32> = (0..self.kept).map(level).collect();
        if levels.iter().any(|&level| level > largest) {
            return Err(FormatError::Content("a level is out of range"));
        }
        if bits.any_left() {
            return Err(FormatError::Content("its padding bits are not zero"));
        }
        Ok((positions, levels))
    }

    fn positions(&self, bits: &mut BitReader, low: u32) -> Result<Vec<usize>, FormatError> {
        const WRONG: FormatError = FormatError::Content("its positions do not ascend within this network");
        let mut highs = Vec::with_capacity(self.kept);
        let mut high = 0;
        for _ in 0..self.high_bits(low) {
            match bits.number(1) {
                1 => highs.push(high),
                _ => high += 1,
            }
        }
        if highs.len() != self.kept {
            return Err(WRONG);
        }
        let positions: Vec<usize> = highs.into_iter().map(|high| high << low | bits.number(low)).collect();
        let ascending = positions.windows(2).all(|pair| pair[0] < pair[1]);
        let inside = positions.last().is_none_or(|&last| last < self.parameters);
        if ascending && inside { Ok(positions) } else { Err(WRONG) }
    }
}
