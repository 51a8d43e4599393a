//! What a game is told when it looks back, written down and read again. It depends on what each client was shown, which
//! a replay does not know.

use tickwire_shared::ClientId;
use tickwire_shared::limits::COLUMNS_MAX;

use super::states::{put_signed, take_signed};
use crate::simulation::{EntityKey, Past, Shown};

/// The answers, in the order of the questions.
#[derive(Clone, Debug, Default)]
pub(in crate::host) struct Looks {
    pub(super) bytes: Vec<u8>,
    /// Of a state, at most.
    pub(super) columns: usize,
}

/// Answers that are noted on the way, where somebody records.
pub(in crate::host) struct Overheard<'a, T> {
    pub(in crate::host) past: T,
    pub(in crate::host) looks: Option<&'a mut Looks>,
}

impl<T: Past> Past for Overheard<'_, T> {
    fn turn_to(&mut self, client: ClientId) -> bool {
        let found = self.past.turn_to(client);
        if let Some(looks) = &mut self.looks {
            looks.bytes.push(u8::from(found));
        }
        found
    }

    fn shown(&mut self, entity: EntityKey, columns: &mut [i32]) -> Shown {
        let shown = self.past.shown(entity, columns);
        if let Some(looks) = &mut self.looks {
            looks.bytes.push(shown as u8);
            if shown == Shown::Then {
                columns[..looks.columns].iter().for_each(|column| put_signed(&mut looks.bytes, *column));
            }
        }
        shown
    }
}

/// Answers as they were recorded. A game that asks for more than was asked has diverged: it is told that there is nothing.
pub(super) struct Remembered<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) columns: usize,
}

impl Remembered<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return u8::MAX };
        self.bytes = rest;
        *first
    }
}

impl Past for Remembered<'_> {
    fn turn_to(&mut self, _: ClientId) -> bool {
        self.byte() == 1
    }

    fn shown(&mut self, _: EntityKey, columns: &mut [i32]) -> Shown {
        match self.byte() {
            then if then == Shown::Then as u8 => {
                let mut state = [0; COLUMNS_MAX];
                for column in &mut state[..self.columns] {
                    let Some(value) = take_signed(&mut self.bytes) else { return Shown::Never };
                    *column = value;
                }
                columns[..self.columns].copy_from_slice(&state[..self.columns]);
                Shown::Then
            }
            now if now == Shown::Now as u8 => Shown::Now,
            _ => Shown::Never,
        }
    }
}
