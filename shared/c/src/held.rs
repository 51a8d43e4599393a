//! A session as a caller in C holds it: with what was handed out last, and the words of the last failure. Runs inside the border's
//! calls; knows no pointers.

use std::ffi::CString;

use tickwire_kit::{Kit, Options};
use tickwire_shared::client::State;
use tickwire_shared::{Micros, Tick};

/// What a caller holds.
#[derive(Debug)]
pub struct Held {
    pub(crate) kit: Kit,
    pub(crate) error: CString,
    /// What was handed out last, kept until the next.
    pub(crate) message: Vec<u8>,
    pub(crate) event: Vec<u8>,
    /// A call panicked: nothing in here is to be trusted any more.
    pub(crate) broken: bool,
}

impl Held {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self, String> {
        let (error, message, event) = Default::default();
        Ok(Self { kit: Kit::new(options)?, error, message, event, broken: false })
    }

    /// Says whether the message was good; else `error` has the words.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Micros) -> bool {
        self.kit.receive(bytes, now).map_err(|error| self.error = words(&error)).is_ok()
    }

    pub(crate) fn transmit(&mut self, now: Micros) -> bool {
        let next = self.kit.session_mut().poll_transmit(now);
        next.map(|bytes| self.message = bytes).is_some()
    }

    /// Keeps an event, and gives its tick.
    pub(crate) fn keep(&mut self, event: Option<(Tick, Vec<u8>)>) -> Option<Tick> {
        let (tick, bytes) = event?;
        self.event = bytes;
        Some(tick)
    }

    pub(crate) fn state(&self, now: Micros) -> i32 {
        match self.kit.session().state(now) {
            State::Connecting => 0,
            State::Live => 1,
            State::Stalled => 2,
            State::Resuming => 3,
            State::Refused(_) => 4,
        }
    }
}

/// For C: without what C takes for the end.
pub(crate) fn words(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
