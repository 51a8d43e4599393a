//! Why a session ended: the close codes, and the only place that words their reasons.

use crate::limits::CLOSE_REASON_BYTES_MAX;

/// The code in a WebSocket close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum CloseCode {
    /// Bye.
    Normal = 1000,
    /// The server is going away; the reason carries `retry_after_ms`.
    GoingAway = 1001,
    /// RFC 6455: framing.
    ProtocolError = 1002,
    /// RFC 6455: a kind of data that this subprotocol does not use.
    UnsupportedData = 1003,
    /// RFC 6455: text that is not UTF-8.
    InvalidUtf8 = 1007,
    /// RFC 6455: message over the size limit.
    TooBig = 1009,
    /// The room's game panicked.
    Internal = 1011,
    /// Undecodable or impossible message.
    BadMessage = 4000,
    /// Another protocol or schema.
    SchemaMismatch = 4001,
    /// Token missing, bad or expired.
    NotAllowed = 4002,
    /// Server or room is full.
    Full = 4003,
    /// Too many messages or bytes.
    RateExceeded = 4004,
    /// A deadline passed: handshake, ping or idle.
    Deadline = 4005,
    /// A newer connection took over this session. The client must not retry.
    Replaced = 4006,
    /// Kicked by an admin.
    Kicked = 4007,
    /// Reads too slowly for too long.
    TooSlow = 4008,
    /// The room was closed by its game or an admin.
    RoomClosed = 4009,
}

impl CloseCode {
    /// Every code, in rising order.
    pub const ALL: [Self; 17] = [
        Self::Normal,
        Self::GoingAway,
        Self::ProtocolError,
        Self::UnsupportedData,
        Self::InvalidUtf8,
        Self::TooBig,
        Self::Internal,
        Self::BadMessage,
        Self::SchemaMismatch,
        Self::NotAllowed,
        Self::Full,
        Self::RateExceeded,
        Self::Deadline,
        Self::Replaced,
        Self::Kicked,
        Self::TooSlow,
        Self::RoomClosed,
    ];

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The code with this number, if it is one of ours.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// Whether a client that was closed with this may try again. Not when it would be closed again for the same reason,
    /// and not when its session is somebody else's now.
    #[must_use]
    pub const fn may_return(self) -> bool {
        match self {
            Self::GoingAway
            | Self::Internal
            | Self::Full
            | Self::RateExceeded
            | Self::Deadline
            | Self::TooSlow => true,
            Self::Normal
            | Self::ProtocolError
            | Self::UnsupportedData
            | Self::InvalidUtf8
            | Self::TooBig
            | Self::BadMessage
            | Self::SchemaMismatch
            | Self::NotAllowed
            | Self::Replaced
            | Self::Kicked
            | Self::RoomClosed => false,
        }
    }

    /// What the code means, in words that fit every case of it.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Normal => "bye",
            Self::GoingAway => "server going away",
            Self::ProtocolError => "framing violates RFC 6455",
            Self::UnsupportedData => "this subprotocol does not use this kind of data",
            Self::InvalidUtf8 => "text is not UTF-8",
            Self::TooBig => "message too big",
            Self::Internal => "internal error: the room's game panicked",
            Self::BadMessage => "undecodable or impossible message",
            Self::SchemaMismatch => "protocol or schema differs",
            Self::NotAllowed => "not allowed",
            Self::Full => "full",
            Self::RateExceeded => "rate exceeded",
            Self::Deadline => "deadline passed",
            Self::Replaced => "replaced by a newer connection of the same session",
            Self::Kicked => "kicked by an admin",
            Self::TooSlow => "reads too slowly for too long",
            Self::RoomClosed => "room closed",
        }
    }
}

/// A close as it goes out: the code and a reason of at most [`CLOSE_REASON_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// Words for whoever reads the log, `key=value` pairs for programs.
    pub reason: String,
}

impl Close {
    /// A close whose reason is the code's meaning.
    #[must_use]
    pub fn new(code: CloseCode) -> Self {
        Self { code, reason: code.meaning().to_owned() }
    }

    /// A close that says more; cut to the size that fits a close frame.
    #[must_use]
    pub fn because(code: CloseCode, detail: &str) -> Self {
        let mut reason = format!("{}: {detail}", code.meaning());
        if reason.len() > CLOSE_REASON_BYTES_MAX {
            let mut end = CLOSE_REASON_BYTES_MAX;
            while !reason.is_char_boundary(end) {
                end -= 1;
            }
            reason.truncate(end);
        }
        Self { code, reason }
    }

    /// How long a reason asks its reader to wait, if it does.
    #[must_use]
    pub fn retry_after_ms(reason: &str) -> Option<u32> {
        reason.rsplit_once("retry_after_ms=")?.1.parse().ok()
    }

    /// A close after which the client may come back in `retry_after_ms`.
    #[must_use]
    pub fn retry_after(code: CloseCode, retry_after_ms: u32) -> Self {
        Self { code, reason: format!("{}; retry_after_ms={retry_after_ms}", code.meaning()) }
    }
}

impl From<CloseCode> for Close {
    fn from(code: CloseCode) -> Self {
        Self::new(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_fit_a_close_frame() {
        for code in CloseCode::ALL {
            assert!(Close::new(code).reason.len() <= CLOSE_REASON_BYTES_MAX);
            let long = Close::because(code, &"ä".repeat(200));
            assert!(long.reason.len() <= CLOSE_REASON_BYTES_MAX);
            assert_eq!(CloseCode::from_number(code.number()), Some(code));
        }
        assert_eq!(CloseCode::from_number(1005), None);
    }
}
