//! Message ids that a topic has seen, so that a retry gets the first ack and no second effect.

use std::collections::{BTreeMap, VecDeque};

use arqon_proto::AckMode;
use uuid::Uuid;

/// Where a message stands in the log of its topic; of several events the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offset {
    /// Here.
    InLog(u64),
    /// So many events behind the place where those from outside begin in its epoch, which is known
    /// when it is known what the circuit has written before.
    InEpoch(u64),
}

/// What was answered to a message, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FirstAck {
    pub(crate) offset: Offset,
    pub(crate) epoch: u64,
    pub(crate) mode: AckMode,
}

/// The newest ids of one topic, each under the principal that sent it.
#[derive(Debug, Clone, Default)]
pub(crate) struct DedupeWindow {
    acks: BTreeMap<(Uuid, String), FirstAck>,
    order: VecDeque<(Uuid, String)>,
}

impl DedupeWindow {
    pub(crate) fn first(&self, id: Uuid, principal: &str) -> Option<FirstAck> {
        self.acks.get(&(id, principal.to_owned())).copied()
    }

    /// Says where the events from outside of an epoch begin: behind `before`.
    pub(crate) fn settle(&mut self, epoch: u64, before: u64) {
        for key in self.order.iter().rev() {
            let Some(ack) = self.acks.get_mut(key) else { continue };
            if ack.epoch < epoch {
                break;
            }
            if let (true, Offset::InEpoch(n)) = (ack.epoch == epoch, ack.offset) {
                ack.offset = Offset::InLog(before + n);
            }
        }
    }

    /// Remembers an ack and forgets the oldest above `ids_max`.
    pub(crate) fn remember(&mut self, id: Uuid, principal: &str, ack: FirstAck, ids_max: usize) {
        let key = (id, principal.to_owned());
        if self.acks.insert(key.clone(), ack).is_none() {
            self.order.push_back(key);
        }
        while self.order.len() > ids_max {
            if let Some(oldest) = self.order.pop_front() {
                self.acks.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_bounded_and_per_principal() {
        let mut window = DedupeWindow::default();
        for n in 0..10_u64 {
            let offset = Offset::InLog(n);
            let ack = FirstAck { offset, epoch: 1, mode: AckMode::Accepted };
            window.remember(Uuid::from_u128(n.into()), "p", ack, 4);
        }
        assert_eq!(
            window.first(Uuid::from_u128(9), "p").map(|ack| ack.offset),
            Some(Offset::InLog(9))
        );
        assert_eq!(window.first(Uuid::from_u128(9), "q"), None);
        assert_eq!(window.first(Uuid::from_u128(5), "p"), None);
        assert_eq!((window.acks.len(), window.order.len()), (4, 4));
    }
}
