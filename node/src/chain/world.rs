//! The fold of what the contracts said, as far as it is believed. Whoever decides from it reads it here, so that all of them believe
//! the same.

use std::time::Duration;

use sonar_protocol::{event::Batch, view::World};

use super::{Client, Error, Follower};

/// A world that follows the chain.
#[derive(Debug)]
pub struct WorldReader {
    follower: Follower,
    world: World,
}

impl WorldReader {
    /// Reads from the contracts' first block. Looks every `poll`; blocks are believed when `confirmations` others follow.
    #[must_use]
    pub fn new(client: Client, poll: Duration, confirmations: u64) -> Self {
        Self { follower: Follower::new(client, poll, confirmations), world: World::default() }
    }

    /// What was read until now.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Waits until the next look is due, looks, and returns what is new. Nothing is lost if this is dropped while it waits.
    ///
    /// # Errors
    /// When the chain cannot be read. After events that do not follow from one another, all is read anew.
    pub async fn next(&mut self) -> Result<Batch, Error> {
        let batch = self.follower.next().await?;
        self.absorb(batch)
    }

    /// The same at once, without waiting until a look is due.
    ///
    /// # Errors
    /// As `next`.
    pub async fn look_now(&mut self) -> Result<Batch, Error> {
        let batch = self.follower.look_now().await?;
        self.absorb(batch)
    }

    fn absorb(&mut self, batch: Batch) -> Result<Batch, Error> {
        match self.world.absorb(&batch) {
            Ok(()) => Ok(batch),
            Err(error) => {
                self.world = World::default();
                self.follower.start_anew();
                Err(Error::Nonsense { what: "follow the chain", reason: error.to_string() })
            }
        }
    }
}

impl Client {
    /// All that the contracts have said until now, without what fewer than `confirmations` blocks follow.
    ///
    /// # Errors
    /// When the chain cannot be read, or its events do not follow from one another.
    pub async fn world(&self, confirmations: u64) -> Result<World, Error> {
        let mut reader = WorldReader::new(self.clone(), Duration::ZERO, confirmations);
        reader.next().await?;
        Ok(reader.world)
    }
}
