//! Ids of events, in pages and in the event stream. A client resumes after the last id that it has seen.

use alloy::primitives::hex;

use crate::index::{NotAPosition, Position, StoredEvent};

/// The id of an event: its position, and the start of its block's hash, which shows after a reconnection whether the
/// chain was rolled back meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventId {
    position: Position,
    block: Option<String>,
}

impl EventId {
    /// Position of the event.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The start of its block's hash, if the id has it.
    #[must_use]
    pub fn block(&self) -> Option<&str> {
        self.block.as_deref()
    }

    /// The id of a stored event.
    #[must_use]
    pub fn of(record: &StoredEvent) -> String {
        format!("{}-{}", record.position, hash_prefix(record.block_hash.as_slice()))
    }
}

impl std::str::FromStr for EventId {
    type Err = NotAPosition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.match_indices('-').nth(1) {
            Some((at, _)) => Ok(Self { position: text[..at].parse()?, block: Some(text[at + 1..].to_owned()) }),
            None => Ok(Self { position: text.parse()?, block: None }),
        }
    }
}

/// The part of a block's hash that an id carries.
pub fn hash_prefix(hash: &[u8]) -> String {
    hex::encode(&hash[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_with_and_without_the_block() {
        let position = Position { block: 12, log: 3 };
        assert_eq!("12-3-00ff00ff".parse(), Ok(EventId { position, block: Some("00ff00ff".into()) }));
        assert_eq!("12-3".parse(), Ok(EventId { position, block: None }));
        assert!("12".parse::<EventId>().is_err());
        assert!("x-3-00".parse::<EventId>().is_err());
    }
}
