//! Which of a worker's rooms has something to do next, and when. No clock of its own.

use std::collections::{BTreeMap, BTreeSet};

use tickwire_shared::Micros;

/// Times at which rooms want to be visited, by the rooms' numbers.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    order: BTreeSet<(Micros, u64)>,
    due: BTreeMap<u64, Micros>,
}

impl Agenda {
    /// From now on a room wants to be visited at that time only.
    pub(super) fn set(&mut self, room: u64, due: Micros) {
        if let Some(before) = self.due.insert(room, due) {
            self.order.remove(&(before, room));
        }
        self.order.insert((due, room));
    }

    /// A room is not to be visited any more.
    pub(super) fn remove(&mut self, room: u64) {
        if let Some(before) = self.due.remove(&room) {
            self.order.remove(&(before, room));
        }
    }

    /// The next visit.
    pub(super) fn first(&self) -> Option<(Micros, u64)> {
        self.order.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_first_and_a_room_has_one_date() {
        let mut agenda = Agenda::default();
        for (room, due) in [(1, 300), (2, 100), (3, 200), (2, 400)] {
            agenda.set(room, Micros(due));
        }
        assert_eq!(agenda.first(), Some((Micros(200), 3)));
        agenda.remove(3);
        assert_eq!(agenda.first(), Some((Micros(300), 1)));
        agenda.remove(1);
        agenda.remove(1);
        assert_eq!(agenda.first(), Some((Micros(400), 2)));
        agenda.remove(2);
        assert_eq!(agenda.first(), None);
        assert!(agenda.order.is_empty() && agenda.due.is_empty());
    }
}
