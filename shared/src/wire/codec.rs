//! The only file that names bincode: bounded, and strict about trailing bytes.

use serde::{Serialize, de::DeserializeOwned};

/// Why bytes are not the value that they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Malformed, too short, or a declared length beyond the limit.
    #[error("malformed message")]
    Malformed,
    /// A whole value was read and bytes were left over.
    #[error("{0} bytes after the end of the message")]
    TrailingBytes(usize),
}

/// Bound on the memory that one decode may claim, in bytes; no message of ours is larger.
const DECODE_BYTES_MAX: usize = 1 << 20;

fn config() -> impl bincode::config::Config {
    bincode::config::standard().with_limit::<DECODE_BYTES_MAX>()
}

/// Appends `value` to `out`.
///
/// # Panics
/// When `value` is larger than the decoding bound or its `Serialize` fails, which is a bug of its author.
pub fn encode_into<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    out.extend_from_slice(&encode(value));
}

/// The bytes of `value`.
///
/// # Panics
/// As [`encode_into`].
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, config()).expect("own types serialize")
}

/// The value in `bytes`, all of them.
///
/// # Errors
/// [`CodecError`] when the bytes are not exactly one value.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, consumed) =
        bincode::serde::decode_from_slice(bytes, config()).map_err(|_| CodecError::Malformed)?;
    match bytes.len() - consumed {
        0 => Ok(value),
        left => Err(CodecError::TrailingBytes(left)),
    }
}

/// As [`encode`], for a saved room, which may be larger than any message.
///
/// # Panics
/// As [`encode_into`].
#[must_use]
pub fn encode_blob<T: Serialize>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, bincode::config::standard()).expect("own types serialize")
}

/// As [`decode`], for a saved room: trusted bytes from our own disk, without the limit.
///
/// # Errors
/// [`CodecError`] when the bytes are not exactly one value.
pub fn decode_blob<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (value, consumed) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())
        .map_err(|_| CodecError::Malformed)?;
    match bytes.len() - consumed {
        0 => Ok(value),
        left => Err(CodecError::TrailingBytes(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_one_value() {
        let bytes = encode(&(7_u32, "ann"));
        assert_eq!(decode::<(u32, String)>(&bytes), Ok((7, "ann".to_owned())));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(decode::<(u32, String)>(&longer), Err(CodecError::TrailingBytes(1)));
        assert_eq!(decode::<(u32, String)>(&bytes[..bytes.len() - 1]), Err(CodecError::Malformed));
    }

    #[test]
    fn a_claimed_length_is_not_believed() {
        // 0xFD announces a u64 length of 2^62.
        let claim = [0xFD, 0, 0, 0, 0, 0, 0, 0, 0x40];
        assert_eq!(decode::<Vec<u8>>(&claim), Err(CodecError::Malformed));
        assert_eq!(decode::<Vec<u64>>(&claim), Err(CodecError::Malformed));
    }
}
