//! The floor: what comes is counted, and as much is sent as Tickwire's clients send.

use peers_scene::Input;
use tickwire_shared::Micros;

use super::{Dialect, Out};
use crate::socket::Kind;

/// Length of one of Tickwire's inputs with its acknowledgement, about.
const INPUT: [u8; 14] = [0; 14];

/// One client.
pub struct Floor;

impl Dialect for Floor {
    fn handle(&mut self, _message: &[u8], _out: &mut Out, _now: Micros) -> Result<bool, String> {
        Ok(true)
    }

    fn input(&mut self, _input: Input, out: &mut Out, _now: Micros) {
        out.push((Kind::Binary, INPUT.to_vec()));
    }
}
