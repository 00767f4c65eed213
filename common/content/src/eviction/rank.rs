//! What is worth keeping of an object's history over a restart: one byte.

use super::queue::Queue;

/// The most touches an object can have in store: so many rounds of the main queue it outlives when nobody asks any more.
pub(super) const MOST_HITS: u8 = 3;

const QUEUE: u8 = 0b1100;
const MAIN: u8 = 0b0100;
const RESERVE: u8 = 0b1000;

/// Queue and frequency of an object, to be written down beside its last use. As a byte: bits 0 and 1 are the touches in
/// store, bits 2 and 3 the queue (0 probation, 1 main, 2 reserve). Every byte is a rank: what makes no sense is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Rank {
    pub(super) queue: Queue,
    pub(super) hits: u8,
}

impl From<u8> for Rank {
    fn from(byte: u8) -> Self {
        let queue = match byte & QUEUE {
            MAIN => Queue::Main,
            RESERVE => Queue::Reserve,
            _ => Queue::Probation,
        };
        Self { queue, hits: byte & MOST_HITS }
    }
}

impl From<Rank> for u8 {
    fn from(Rank { queue, hits }: Rank) -> Self {
        let queue = match queue {
            Queue::Probation => 0,
            Queue::Main => MAIN,
            Queue::Reserve => RESERVE,
        };
        queue | hits
    }
}
