//! Which room somebody asks for: by name, by name and join code, or any with space.

use tickwire_shared::limits::{ANY_ROOM, ROOM_BYTES_MAX};
use tickwire_shared::{Close, CloseCode};

/// The room that is always there.
pub(super) const DEFAULT_ROOM: &str = "main";
/// Between a private room's name and its join code.
const CODE_MARK: char = '/';
/// Letters of a join code: without those that are taken for others.
const CODE_LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz23456789-";
const CODE_LENGTH: usize = 8;
/// Longest name of a room that has a join code: both must fit into Hello.
pub(super) const PRIVATE_NAME_BYTES_MAX: usize = ROOM_BYTES_MAX - CODE_LENGTH - 1;

/// What a Hello asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted<'a> {
    /// The fullest one that has space, or a new one.
    Any,
    /// That one.
    Named {
        /// Its name.
        name: &'a str,
        /// What opens it, if it is private.
        code: Option<&'a str>,
    },
}

impl<'a> Wanted<'a> {
    /// From the words of a Hello.
    pub(super) fn of(room: &'a str) -> Self {
        match room.split_once(CODE_MARK) {
            _ if room == ANY_ROOM => Self::Any,
            _ if room.is_empty() => Self::Named { name: DEFAULT_ROOM, code: None },
            Some((name, code)) => Self::Named { name, code: Some(code) },
            None => Self::Named { name: room, code: None },
        }
    }

    /// The room's name as tokens say where their bearers may play; empty where any will do.
    pub(super) fn name(room: &'a str) -> &'a str {
        match Self::of(room) {
            Self::Named { name, .. } if !room.is_empty() => name,
            _ => "",
        }
    }
}

/// What a room may be called.
///
/// # Errors
/// The close for whoever asks for another one.
pub(super) fn check_name(name: &str) -> Result<(), Close> {
    let fits = (1..=ROOM_BYTES_MAX).contains(&name.len());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if fits && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Close::because(CloseCode::BadMessage, "a room's name is 1 to 32 of a-z, 0-9, - and _"))
}

/// A join code that nobody can guess, from random bytes.
pub(super) fn code(random: [u8; CODE_LENGTH]) -> String {
    random.iter().map(|byte| char::from(CODE_LETTERS[usize::from(*byte) % CODE_LETTERS.len()])).collect()
}

/// Whether a code is the right one; how long that takes says nothing.
pub(super) fn opens(asked: Option<&str>, right: Option<&str>) -> bool {
    let Some(right) = right else { return asked.is_none() };
    let Some(asked) = asked.filter(|asked| asked.len() == right.len()) else { return false };
    asked.bytes().zip(right.bytes()).fold(0, |wrong, (a, b)| wrong | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_hello() {
        let named = |name, code| Wanted::Named { name, code };
        assert_eq!(Wanted::of(""), named("main", None));
        assert_eq!(Wanted::of("*"), Wanted::Any);
        assert_eq!(Wanted::of("den"), named("den", None));
        assert_eq!(Wanted::of("den/abcdefgh"), named("den", Some("abcdefgh")));
        assert_eq!(["", "*", "den", "den/x"].map(Wanted::name), ["", "", "den", "den"]);
    }

    #[test]
    fn names() {
        let longest = "n".repeat(ROOM_BYTES_MAX);
        for good in ["a", "room-1", "a_b", longest.as_str()] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        let too_long = "n".repeat(ROOM_BYTES_MAX + 1);
        for bad in ["", "A", "ä", "a b", "a/b", "*", too_long.as_str()] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn codes() {
        let right = code([0, 31, 32, 255, 7, 8, 9, 10]);
        assert_eq!(right.len(), CODE_LENGTH);
        assert!(opens(Some(&right), Some(&right)) && opens(None, None));
        for wrong in [None, Some(""), Some("abc"), Some("abcdefgh")] {
            assert!(!opens(wrong, Some(&right)), "{wrong:?}");
        }
        assert!(!opens(Some(&right), None), "a public room has no code");
        let longest = format!("{}/{right}", "n".repeat(PRIVATE_NAME_BYTES_MAX));
        assert_eq!(longest.len(), ROOM_BYTES_MAX);
    }
}
