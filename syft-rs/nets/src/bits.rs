//! Bit strings: numbers of any number of bits, packed into bytes.

/// Appends numbers bit by bit, the lowest bit first, to the lowest bits of each byte first.
pub(crate) struct BitWriter {
    bytes: Vec<u8>,
    free: u32,
}

impl BitWriter {
    /// Appends after whole bytes.
    pub(crate) const fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, free: 0 }
    }

    pub(crate) fn put(&mut self, number: usize, count: u32) {
        for bit in 0..count {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= u8::from(number >> bit & 1 == 1) << (8 - self.free);
            }
            self.free -= 1;
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// Reads the bits of bytes, the lowest of each byte first, and zeros after the end.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// A number of `count` bits, the lowest first.
    pub(crate) fn number(&mut self, count: u32) -> usize {
        let number = (0..count).map(|bit| usize::from(self.bit(self.at + bit as usize)) << bit).sum();
        self.at += count as usize;
        number
    }

    /// True if a one is left unread.
    pub(crate) fn any_left(&self) -> bool {
        (self.at..self.bytes.len() * 8).any(|at| self.bit(at))
    }

    fn bit(&self, at: usize) -> bool {
        self.bytes.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }
}
