//! The parts of Protocol Buffers that blocks and bitswap messages need.
//!
//! Fields are read one by one from the message. A decoder that is generated from a schema builds every repeated field
//! before they can be counted: four megabytes of empty entries would become hundreds.

/// Bytes that are not a protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// A varint, or a fixed-width number.
    Number(u64),
    /// A string, bytes or a nested message.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    /// The value of a field that must be a number.
    pub fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) => Err(Malformed("expected a number, found bytes")),
        }
    }

    /// The value of a field that must be bytes.
    pub fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) => Err(Malformed("expected bytes, found a number")),
        }
    }
}

/// Iterator over the fields of a message, in the order of the bytes. Ends after the first error.
#[derive(Clone, Debug)]
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    /// Reads this message.
    pub fn new(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Number(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                Value::Bytes(self.slice(usize::try_from(length).unwrap_or(usize::MAX))?)
            }
            5 => Value::Number(u32::from_le_bytes(self.array()?).into()),
            _ => return Err(Malformed("a field has an unknown wire type")),
        };
        Ok((key >> 3, value))
    }

    fn slice(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (slice, rest) = self.0.split_at_checked(length).ok_or(Malformed("the message ends within a field"))?;
        self.0 = rest;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.slice(N)?.try_into().expect("a slice of this length"))
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        take_varint(&mut self.0)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Reads a varint from the front.
pub fn take_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(Malformed("the message ends within a number"))?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(number);
        }
    }
    Err(Malformed("a number is longer than 64 bits"))
}

/// Appends a varint.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a field that is a number.
pub fn put_number(out: &mut Vec<u8>, field: u64, number: u64) {
    put_varint(out, field << 3);
    put_varint(out, number);
}

/// Appends a field that is bytes, a string or a nested message.
pub fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn fields_are_read_as_they_were_written(numbers in prop::collection::vec(any::<u64>(), 0..8), bytes in any::<Vec<u8>>()) {
            let mut message = Vec::new();
            put_bytes(&mut message, 7, &bytes);
            numbers.iter().for_each(|&number| put_number(&mut message, 300, number));
            let fields: Vec<_> = Fields::new(&message).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(fields[0], (7, Value::Bytes(&bytes)));
            let read: Vec<_> = fields[1..].iter().map(|(_, value)| value.number().unwrap()).collect();
            prop_assert_eq!(read, numbers);
        }

        #[test]
        fn any_bytes_end_in_fields_or_in_one_error(bytes in any::<Vec<u8>>()) {
            prop_assert!(Fields::new(&bytes).filter(Result::is_err).count() <= 1);
        }
    }

    #[test]
    fn what_is_cut_off_or_too_long_is_refused() {
        for bytes in
            [&[0x0a, 5, 1][..], &[0x08], &[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], &[0x0b]]
        {
            assert!(Fields::new(bytes).next().unwrap().is_err(), "{bytes:?}");
        }
    }
}
