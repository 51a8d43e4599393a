//! A bit stream, least significant bit first, through a 64-bit accumulator.

/// The stream ended, or a number in it is larger than it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitsError {
    /// More bits were wanted than there are.
    #[error("the bit stream ends too early")]
    Ended,
    /// A count, index or value outside its range.
    #[error("a number in the bit stream is out of range")]
    OutOfRange,
}

/// Writes bits. The buffer is kept between uses.
///
/// Every write stores eight bytes and then moves on by the whole ones among them, so that there is no branch on
/// how many bits it was: splicing many short strings of all lengths is what this is for.
#[derive(Clone, Debug, Default)]
pub struct BitWriter {
    /// At least [`SLACK`] bytes longer than what was written.
    buffer: Vec<u8>,
    /// Bits written.
    bits: usize,
    /// Those of the byte that is not whole yet.
    pending: u64,
}

/// Room for one store beyond the last whole byte.
const SLACK: usize = 16;
/// Most bits that fit one store, whatever is pending.
const STORE_BITS: u32 = 56;

impl BitWriter {
    /// Starts anew, keeping the memory.
    pub fn clear(&mut self) {
        self.bits = 0;
        self.pending = 0;
    }

    /// How many bits were written.
    #[must_use]
    pub fn len_bits(&self) -> usize {
        self.bits
    }

    /// Appends the low `count` bits of `value`, at most 64. Higher bits of `value` must be zero.
    #[inline]
    pub fn put(&mut self, value: u64, count: u32) {
        debug_assert!(
            count <= 64 && (count == 64 || value >> count == 0),
            "{value:#x} has over {count} bits"
        );
        if count > STORE_BITS {
            self.store(value & 0xFFFF_FFFF, 32);
            self.store(value >> 32, count - 32);
        } else {
            self.store(value, count);
        }
    }

    #[inline]
    fn store(&mut self, value: u64, count: u32) {
        let (whole, shift) = (self.bits / 8, self.bits as u32 & 7);
        if self.buffer.len() < whole + SLACK {
            self.buffer.resize((whole + SLACK) * 2, 0);
        }
        self.pending |= value << shift;
        self.buffer[whole..whole + 8].copy_from_slice(&self.pending.to_le_bytes());
        // At most 63 bits are pending here, so at most 56 of them are in whole bytes.
        self.pending >>= (shift + count) & !7;
        self.bits += count as usize;
    }

    /// Appends strings of at most 56 bits each, back to back: the low bits of `words`, so many as `lengths` say.
    pub fn put_short(&mut self, words: &[u64], lengths: &[u8]) {
        let most = self.bits / 8 + words.len() * (STORE_BITS / 8) as usize + SLACK;
        if self.buffer.len() < most {
            self.buffer.resize(most * 2, 0);
        }
        // In registers, over all of them.
        let (mut bits, mut pending, buffer) = (self.bits, self.pending, self.buffer.as_mut_slice());
        for (word, length) in words.iter().zip(lengths) {
            let (whole, shift, length) = (bits / 8, bits as u32 & 7, u32::from(*length));
            debug_assert!(length <= STORE_BITS && word >> length == 0, "{word:#x} has over {length} bits");
            pending |= word << shift;
            buffer[whole..whole + 8].copy_from_slice(&pending.to_le_bytes());
            pending >>= (shift + length) & !7 & 63;
            bits += length as usize;
        }
        (self.bits, self.pending) = (bits, pending);
    }

    /// Appends one bit.
    pub fn put_bit(&mut self, bit: bool) {
        self.put(u64::from(bit), 1);
    }

    /// Appends whole bytes, wherever in a byte the stream stands.
    pub fn put_bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.put(u64::from(*byte), 8);
        }
    }

    /// Appends `count` bits of another stream, from the bit `from` on.
    pub fn splice(&mut self, words: &[u64], from: usize, count: usize) {
        let (mut at, mut left) = (from, count);
        while left > 0 {
            let take = left.min(32);
            self.put(read_word(words, at, take as u32), take as u32);
            at += take;
            left -= take;
        }
    }

    /// The stream, its last byte filled up with zeros; the writer is empty afterwards.
    #[must_use]
    pub fn take_bytes(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.append_to(&mut bytes);
        bytes
    }

    /// Appends the stream to `out`, its last byte filled up with zeros; the writer is empty afterwards.
    pub fn append_to(&mut self, out: &mut Vec<u8>) {
        let end = self.bits.div_ceil(8);
        out.extend_from_slice(self.buffer.get(..end).unwrap_or_default());
        self.clear();
    }
}

/// Reads what [`BitWriter`] wrote.
#[derive(Clone, Copy, Debug)]
pub struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// From the first bit of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bits were read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.at
    }

    /// How many bits are left.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() * 8 - self.at
    }

    /// The next `count` bits, at most 56.
    ///
    /// # Errors
    /// [`BitsError::Ended`].
    pub fn get(&mut self, count: u32) -> Result<u64, BitsError> {
        debug_assert!(count <= 56);
        if self.left() < count as usize {
            return Err(BitsError::Ended);
        }
        let first = self.at / 8;
        let mut word = [0; 8];
        let end = self.bytes.len().min(first + 8);
        word[..end - first].copy_from_slice(&self.bytes[first..end]);
        let value = u64::from_le_bytes(word) >> (self.at % 8);
        self.at += count as usize;
        Ok(value & ((1_u64 << count) - 1))
    }

    /// The next `count` bits without moving on, at most 31; zeros beyond the end.
    #[inline]
    #[must_use]
    pub fn peek(&self, count: u32) -> u32 {
        let first = (self.at / 8).min(self.bytes.len());
        let mut word = [0; 8];
        match self.bytes.get(first..first + 8) {
            Some(bytes) => word.copy_from_slice(bytes),
            None => word[..self.bytes.len() - first].copy_from_slice(&self.bytes[first..]),
        }
        (u64::from_le_bytes(word) >> (self.at % 8)) as u32 & ((1 << count) - 1)
    }

    /// Moves on by bits that were looked at.
    ///
    /// # Errors
    /// [`BitsError::Ended`] when there are not as many.
    #[inline]
    pub fn skip(&mut self, count: u32) -> Result<(), BitsError> {
        if self.left() < count as usize {
            return Err(BitsError::Ended);
        }
        self.at += count as usize;
        Ok(())
    }

    /// The next bit.
    ///
    /// # Errors
    /// [`BitsError::Ended`].
    pub fn get_bit(&mut self) -> Result<bool, BitsError> {
        Ok(self.get(1)? == 1)
    }

    /// The next `count` bytes.
    ///
    /// # Errors
    /// [`BitsError::Ended`].
    pub fn get_bytes(&mut self, count: usize) -> Result<Vec<u8>, BitsError> {
        if self.left() / 8 < count {
            return Err(BitsError::Ended);
        }
        (0..count).map(|_| Ok(self.get(8)? as u8)).collect()
    }

    /// A number written by [`BitSink::golomb`].
    ///
    /// # Errors
    /// [`BitsError`] when the stream ends or the number does not fit 32 bits.
    pub fn get_golomb(&mut self, k: u32) -> Result<u32, BitsError> {
        let mut length = 0;
        while !self.get_bit()? {
            length += 1;
            if length > 32 {
                return Err(BitsError::OutOfRange);
            }
        }
        let high = (1_u64 << length | self.get(length)?) - 1;
        let value = high.checked_shl(k).ok_or(BitsError::OutOfRange)? | self.get(k)?;
        u32::try_from(value).map_err(|_| BitsError::OutOfRange)
    }

    /// A number written by [`BitSink::golomb`] that may be at most `max`.
    ///
    /// # Errors
    /// As [`Self::get_golomb`], and [`BitsError::OutOfRange`] above `max`.
    pub fn get_golomb_max(&mut self, k: u32, max: usize) -> Result<usize, BitsError> {
        match self.get_golomb(k)? as usize {
            value if value <= max => Ok(value),
            _ => Err(BitsError::OutOfRange),
        }
    }

    /// Checks that only the zeros that fill the last byte are left.
    ///
    /// # Errors
    /// [`BitsError::OutOfRange`] otherwise.
    pub fn finish(mut self) -> Result<(), BitsError> {
        let left = self.left();
        if left >= 8 || self.get(left as u32)? != 0 {
            return Err(BitsError::OutOfRange);
        }
        Ok(())
    }
}

/// Many short bit strings back to back, to be spliced into streams.
#[derive(Clone, Debug, Default)]
pub struct BitStrings {
    words: Vec<u64>,
    len_bits: usize,
}

impl BitStrings {
    /// Forgets all strings, keeping the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.len_bits = 0;
    }

    /// Where the next string will start.
    #[must_use]
    pub fn len_bits(&self) -> usize {
        self.len_bits
    }

    /// The string of `count` bits from `from` on, if it is short enough for one word.
    #[must_use]
    pub fn short(&self, from: usize, count: usize) -> Option<u64> {
        match count {
            0 => Some(0),
            1..=64 => {
                let low = read_word(&self.words, from, count.min(32) as u32);
                let high = if count > 32 { read_word(&self.words, from + 32, count as u32 - 32) } else { 0 };
                Some(low | high << 32)
            }
            _ => None,
        }
    }

    /// The words, for [`BitWriter::splice`].
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.words
    }
}

/// Where bits go: a stream, or the strings that are spliced into streams later.
pub trait BitSink {
    /// Appends the low `count` bits of `value`, at most 32 at once.
    fn bits(&mut self, value: u32, count: u32);

    /// One bit.
    fn bit(&mut self, bit: bool) {
        self.bits(u32::from(bit), 1);
    }

    /// A number of any size, small ones in few bits: Exp-Golomb of order `k`, below 32.
    fn golomb(&mut self, value: u32, k: u32) {
        let shifted = (u64::from(value) >> k) + 1;
        let length = 63 - shifted.leading_zeros();
        // A run of zeros that a one ends says how many bits follow.
        self.bits(0, length);
        self.bit(true);
        self.bits((shifted & !(1 << length)) as u32, length);
        self.bits(value & ((1_u64 << k) - 1) as u32, k);
    }
}

impl BitSink for BitWriter {
    fn bits(&mut self, value: u32, count: u32) {
        self.put(u64::from(value), count);
    }
}

impl BitSink for BitStrings {
    fn bits(&mut self, value: u32, count: u32) {
        debug_assert!(count <= 32 && u64::from(value) >> count == 0);
        if count == 0 {
            return;
        }
        let shift = (self.len_bits % 64) as u32;
        if shift == 0 {
            self.words.push(0);
        }
        if let Some(last) = self.words.last_mut() {
            *last |= u64::from(value) << shift;
        }
        if shift + count > 64 {
            self.words.push(u64::from(value) >> (64 - shift));
        }
        self.len_bits += count as usize;
    }
}

/// Bits `at..at + count` of `words`, `count` at most 32.
fn read_word(words: &[u64], at: usize, count: u32) -> u64 {
    let (index, shift) = (at / 64, at % 64);
    let mut value = words[index] >> shift;
    if shift + count as usize > 64 {
        value |= words[index + 1] << (64 - shift);
    }
    value & ((1 << count) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all sizes, without a generator of random numbers.
    fn samples() -> impl Iterator<Item = u32> {
        (0..33_u32).flat_map(|bits| {
            let power = (1_u64 << bits) as u32;
            [power.wrapping_sub(1), power, power.wrapping_add(1), power ^ 0x5555_5555]
        })
    }

    #[test]
    fn numbers_come_back_in_every_order() {
        for k in [0, 1, 3, 7, 20] {
            let mut writer = BitWriter::default();
            samples().for_each(|value| writer.golomb(value, k));
            let bytes = writer.take_bytes();
            let mut reader = BitReader::new(&bytes);
            for value in samples() {
                assert_eq!(reader.get_golomb(k), Ok(value), "order {k}");
            }
            assert_eq!(reader.finish(), Ok(()));
        }
    }

    #[test]
    fn splicing_equals_writing() {
        let (mut strings, mut spliced, mut direct) =
            (BitStrings::default(), BitWriter::default(), BitWriter::default());
        let mut places = Vec::new();
        for (index, value) in samples().enumerate() {
            let from = strings.len_bits();
            let k = index as u32 % 5;
            strings.golomb(value, k);
            strings.bits(value & 0x7F, 7);
            direct.golomb(value, k);
            direct.put(u64::from(value & 0x7F), 7);
            places.push((from, strings.len_bits() - from));
        }
        for (from, count) in places {
            spliced.splice(strings.words(), from, count);
        }
        assert_eq!(spliced.len_bits(), direct.len_bits());
        assert_eq!(spliced.take_bytes(), direct.take_bytes());
    }

    #[test]
    fn the_end_is_an_error_and_padding_is_checked() {
        assert_eq!(BitReader::new(&[]).get_bit(), Err(BitsError::Ended));
        assert_eq!(BitReader::new(&[0; 3]).get_golomb(0), Err(BitsError::Ended));
        assert_eq!(BitReader::new(&[0; 9]).get_golomb(0), Err(BitsError::OutOfRange));
        assert_eq!(BitReader::new(&[0; 1]).get_bytes(2), Err(BitsError::Ended));
        let mut reader = BitReader::new(&[0b100]);
        assert_eq!(reader.get(2), Ok(0));
        assert_eq!(reader.finish(), Err(BitsError::OutOfRange));
    }
}
