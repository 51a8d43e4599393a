//! Frames to messages: RFC 6455's rules for fragments, with a bound on bytes and on pieces. No I/O.

use tickwire_shared::{Close, CloseCode};

use super::Kind;

/// Capacity that an idle connection may keep.
const KEPT_BYTES: usize = 256;

/// What one message may be.
#[derive(Clone, Copy, Debug)]
pub(in crate::driver) struct Bounds {
    pub(in crate::driver) message_bytes_max: usize,
    pub(in crate::driver) fragments_max: usize,
}

/// The message that is being put together.
#[derive(Debug)]
pub(super) struct Assembly {
    /// The only kind allowed; `None` allows both.
    due: Option<Kind>,
    /// Of the message in hand.
    kind: Kind,
    bounds: Bounds,
    buffer: Vec<u8>,
    /// Bytes at the beginning of `buffer` that are whole letters.
    letters_end: usize,
    fragments: usize,
    open: bool,
}

/// What a data frame brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// `None` for a continuation.
    pub(super) kind: Option<Kind>,
    pub(super) fin: bool,
    pub(super) payload: &'a [u8],
}

/// Whether a message is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Open,
    Complete,
}

impl Assembly {
    pub(super) fn new(due: Option<Kind>, bounds: Bounds) -> Self {
        let kind = due.unwrap_or(Kind::Binary);
        Self { due, kind, bounds, buffer: Vec::new(), letters_end: 0, fragments: 0, open: false }
    }

    pub(super) fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
    }

    /// Whether a message of so many bytes could begin now.
    pub(super) fn could_begin(&self, bytes: usize) -> bool {
        !self.open && bytes <= self.bounds.message_bytes_max
    }

    /// Takes a frame. After [`Progress::Complete`] the message is at [`Self::message`] until the next frame.
    pub(super) fn take(&mut self, piece: Piece<'_>) -> Result<Progress, Close> {
        match (piece.kind, self.open) {
            (Some(_), true) => return Err(violation("a new message inside a fragmented one")),
            (None, false) => return Err(violation("a continuation of nothing")),
            (Some(kind), false) => {
                if let Some(due) = self.due.filter(|due| *due != kind) {
                    return Err(wrong_kind(due));
                }
                self.kind = kind;
                self.buffer.clear();
                self.buffer.shrink_to(KEPT_BYTES);
                (self.letters_end, self.fragments) = (0, 0);
                self.open = true;
            }
            (None, true) => {}
        }
        self.fragments += 1;
        if self.fragments > self.bounds.fragments_max {
            return Err(violation("too many fragments in one message"));
        }
        if self.buffer.len() + piece.payload.len() > self.bounds.message_bytes_max {
            return Err(Close::new(CloseCode::TooBig));
        }
        self.buffer.extend_from_slice(piece.payload);
        if self.kind == Kind::Text {
            self.check_letters(piece.fin)?;
        }
        if !piece.fin {
            return Ok(Progress::Open);
        }
        self.open = false;
        Ok(Progress::Complete)
    }

    /// Looks at each byte once, and refuses with the first piece that no continuation can mend.
    fn check_letters(&mut self, fin: bool) -> Result<(), Close> {
        match std::str::from_utf8(&self.buffer[self.letters_end..]) {
            Ok(_) => self.letters_end = self.buffer.len(),
            Err(error) if error.error_len().is_none() && !fin => self.letters_end += error.valid_up_to(),
            Err(_) => return Err(Close::new(CloseCode::InvalidUtf8)),
        }
        Ok(())
    }

    /// The kind of [`Self::message`].
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn message(&self) -> &[u8] {
        &self.buffer
    }

    /// The close for a text frame that is not UTF-8; where no text is due, that is the first fault.
    pub(super) fn bad_text(&self) -> Close {
        match self.due {
            Some(due @ Kind::Binary) => wrong_kind(due),
            Some(Kind::Text) | None => Close::new(CloseCode::InvalidUtf8),
        }
    }
}

fn wrong_kind(due: Kind) -> Close {
    let words = match due {
        Kind::Binary => "text where binary is due",
        Kind::Text => "binary where text is due",
    };
    Close::because(CloseCode::UnsupportedData, words)
}

/// The close for what breaks the framing.
pub(super) fn violation(words: &str) -> Close {
    Close::because(CloseCode::ProtocolError, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { message_bytes_max: 10, fragments_max: 3 };

    fn piece(kind: Option<Kind>, fin: bool, payload: &[u8]) -> Piece<'_> {
        Piece { kind, fin, payload }
    }

    fn code(result: Result<Progress, Close>) -> CloseCode {
        result.expect_err("refused").code
    }

    #[test]
    fn fragments_become_one_message() {
        let mut assembly = Assembly::new(Some(Kind::Text), BOUNDS);
        // The first fragment ends inside the letter.
        assert_eq!(assembly.take(piece(Some(Kind::Text), false, b"\xC3")), Ok(Progress::Open));
        assert_eq!(assembly.take(piece(None, false, b"")), Ok(Progress::Open));
        assert_eq!(assembly.take(piece(None, true, b"\xA4")), Ok(Progress::Complete));
        assert_eq!(assembly.message(), "ä".as_bytes());
        assert_eq!(assembly.take(piece(Some(Kind::Text), true, b"b")), Ok(Progress::Complete));
        assert_eq!(assembly.message(), b"b");
    }

    #[test]
    fn half_a_letter_is_no_text() {
        let mut assembly = Assembly::new(Some(Kind::Text), BOUNDS);
        assert_eq!(assembly.take(piece(Some(Kind::Text), false, b"\xC3")), Ok(Progress::Open));
        assert_eq!(code(assembly.take(piece(None, true, b""))), CloseCode::InvalidUtf8);
    }

    #[test]
    fn no_text_is_refused_with_the_first_piece_that_cannot_be_mended() {
        let mut assembly = Assembly::new(None, BOUNDS);
        assert_eq!(assembly.take(piece(Some(Kind::Text), false, b"a\xF0")), Ok(Progress::Open));
        assert_eq!(assembly.take(piece(None, false, b"\x9F\x98")), Ok(Progress::Open));
        assert_eq!(code(assembly.take(piece(None, false, b"x"))), CloseCode::InvalidUtf8);
    }

    #[test]
    fn both_kinds_where_both_are_due() {
        let mut assembly = Assembly::new(None, BOUNDS);
        for kind in [Kind::Text, Kind::Binary] {
            assert_eq!(assembly.take(piece(Some(kind), true, b"x")), Ok(Progress::Complete));
            assert_eq!(assembly.kind(), kind);
        }
    }

    #[test]
    fn the_total_is_bounded_not_the_frame() {
        let mut assembly = Assembly::new(Some(Kind::Binary), BOUNDS);
        assert_eq!(assembly.take(piece(Some(Kind::Binary), false, &[0; 10])), Ok(Progress::Open));
        assert_eq!(code(assembly.take(piece(None, true, &[0]))), CloseCode::TooBig);
    }

    #[test]
    fn empty_fragments_end_somewhere() {
        let mut assembly = Assembly::new(Some(Kind::Binary), BOUNDS);
        assert_eq!(assembly.take(piece(Some(Kind::Binary), false, &[])), Ok(Progress::Open));
        assert_eq!(assembly.take(piece(None, false, &[])), Ok(Progress::Open));
        assert_eq!(assembly.take(piece(None, false, &[])), Ok(Progress::Open));
        assert_eq!(code(assembly.take(piece(None, false, &[]))), CloseCode::ProtocolError);
    }

    #[test]
    fn out_of_order_and_of_the_wrong_kind() {
        let mut assembly = Assembly::new(Some(Kind::Binary), BOUNDS);
        assert_eq!(code(assembly.take(piece(None, true, &[]))), CloseCode::ProtocolError);
        assert_eq!(code(assembly.take(piece(Some(Kind::Text), true, b"a"))), CloseCode::UnsupportedData);
        assert_eq!(assembly.take(piece(Some(Kind::Binary), false, &[1])), Ok(Progress::Open));
        assert_eq!(code(assembly.take(piece(Some(Kind::Binary), true, &[2]))), CloseCode::ProtocolError);
    }
}
