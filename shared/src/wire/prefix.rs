//! Prefix codes: canonical, of bounded length, written least significant bit first.
//!
//! A code is its lengths; both ends work the words out from them. Lengths come from a file or a peer, so they are
//! checked before use. Built by package-merge (Larmore and Hirschberg, 1990), which is optimal for the bound.

/// Longest word, in bits.
pub const LENGTH_MAX: u8 = 15;
/// Words up to this length are found by one look into a table.
const QUICK_BITS: u32 = 9;

/// Why lengths are not a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// A length of zero, or above [`LENGTH_MAX`].
    #[error("a word's length is out of range")]
    Length,
    /// The lengths leave words unused, or need more than there are.
    #[error("the lengths are not those of a complete prefix code")]
    Incomplete,
}

/// One code, ready for both directions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixCode {
    /// For each symbol its word, the first bit lowest, and the word's length.
    words: Vec<(u16, u8)>,
    /// For each value of the next [`QUICK_BITS`] bits: symbol and length, length 0 for longer words.
    quick: Vec<(u8, u8)>,
    /// Symbols by rising length, and among equals by rising number: the canonical order.
    order: Vec<u8>,
    /// How many words there are of each length.
    counts: [u16; LENGTH_MAX as usize + 1],
}

impl PrefixCode {
    /// The canonical code of these lengths, one per symbol.
    ///
    /// # Errors
    /// [`PrefixError`] when they are not those of a complete code.
    pub fn from_lengths(lengths: &[u8]) -> Result<Self, PrefixError> {
        debug_assert!((2..=256).contains(&lengths.len()));
        let mut counts = [0_u16; LENGTH_MAX as usize + 1];
        let mut kraft = 0_u32;
        for length in lengths {
            if !(1..=LENGTH_MAX).contains(length) {
                return Err(PrefixError::Length);
            }
            counts[usize::from(*length)] += 1;
            kraft += 1 << (LENGTH_MAX - length);
        }
        if kraft != 1 << LENGTH_MAX {
            return Err(PrefixError::Incomplete);
        }
        let mut order: Vec<u8> = (0..lengths.len()).map(|symbol| symbol as u8).collect();
        order.sort_by_key(|symbol| (lengths[usize::from(*symbol)], *symbol));
        let mut words = vec![(0, 0); lengths.len()];
        let (mut next, mut length_before) = (0_u32, 0);
        for symbol in &order {
            let length = lengths[usize::from(*symbol)];
            next <<= length - length_before;
            words[usize::from(*symbol)] = (reverse(next, length), length);
            (next, length_before) = (next + 1, length);
        }
        let mut quick = vec![(0, 0); 1 << QUICK_BITS];
        for (symbol, (word, length)) in words.iter().enumerate() {
            if u32::from(*length) <= QUICK_BITS {
                for entry in quick.iter_mut().skip(usize::from(*word)).step_by(1 << length) {
                    *entry = (symbol as u8, *length);
                }
            }
        }
        Ok(Self { words, quick, order, counts })
    }

    /// The code of least total length for these counts; every symbol gets a word.
    ///
    /// # Panics
    /// Never: lengths made here are those of a complete code.
    #[must_use]
    pub fn from_counts(counts: &[u64]) -> Self {
        Self::from_lengths(&package_merge(counts)).expect("package-merge gives a complete code")
    }

    /// A symbol's word, the first bit lowest, and its length.
    #[inline]
    #[must_use]
    pub fn word(&self, symbol: usize) -> (u16, u8) {
        self.words[symbol]
    }

    /// The lengths, one per symbol: the code's whole meaning.
    pub fn lengths(&self) -> impl Iterator<Item = u8> {
        self.words.iter().map(|(_, length)| *length)
    }

    /// The symbol at the beginning of `bits` (the first bit lowest, [`LENGTH_MAX`] of them) and its length.
    #[inline]
    #[must_use]
    pub fn symbol(&self, bits: u32) -> (usize, u32) {
        let (symbol, length) = self.quick[(bits & ((1 << QUICK_BITS) - 1)) as usize];
        if length > 0 { (usize::from(symbol), u32::from(length)) } else { self.symbol_bit_by_bit(bits) }
    }

    /// The slow way, which is also the definition: words of one length are consecutive numbers.
    fn symbol_bit_by_bit(&self, bits: u32) -> (usize, u32) {
        let (mut word, mut first, mut before) = (0_u32, 0_u32, 0_u32);
        for length in 1..=u32::from(LENGTH_MAX) {
            word = word << 1 | bits >> (length - 1) & 1;
            first <<= 1;
            let count = u32::from(self.counts[length as usize]);
            if word < first + count {
                return (usize::from(self.order[(before + word - first) as usize]), length);
            }
            first += count;
            before += count;
        }
        unreachable!("a complete code has a word at the beginning of every {LENGTH_MAX} bits")
    }
}

fn reverse(word: u32, length: u8) -> u16 {
    (word.reverse_bits() >> (32 - u32::from(length))) as u16
}

/// Lengths of the optimal code whose words are at most [`LENGTH_MAX`] long.
fn package_merge(counts: &[u64]) -> Vec<u8> {
    /// Symbols with their total count.
    type Package = (u64, Vec<usize>);
    let single = |symbol: usize| (counts[symbol].max(1), vec![symbol]);
    let mut singles: Vec<Package> = (0..counts.len()).map(single).collect();
    singles.sort_by_key(|(count, symbols)| (*count, symbols[0]));
    let mut packages: Vec<Package> = Vec::new();
    for _ in 0..LENGTH_MAX {
        let mut level = singles.clone();
        level.append(&mut packages);
        level.sort_by_key(|(count, _)| *count);
        packages = level
            .chunks_exact(2)
            .map(|pair| (pair[0].0 + pair[1].0, [pair[0].1.as_slice(), pair[1].1.as_slice()].concat()))
            .collect();
    }
    let mut lengths = vec![0; counts.len()];
    for (_, symbols) in packages.iter().take(counts.len() - 1) {
        symbols.iter().for_each(|symbol| lengths[*symbol] += 1);
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts of all shapes, without a generator of random numbers.
    fn shapes() -> impl Iterator<Item = Vec<u64>> {
        (2..64_u64).flat_map(|symbols| {
            [
                (0..symbols).map(|_| 0).collect::<Vec<_>>(),
                (0..symbols).map(|symbol| 1 << (symbol % 40)).collect(),
                (0..symbols).map(|symbol| symbol * symbol % 97).collect(),
                (0..symbols).map(|symbol| 1_000_000 / (symbol + 1)).collect(),
            ]
        })
    }

    #[test]
    fn every_word_comes_back() {
        for counts in shapes() {
            let code = PrefixCode::from_counts(&counts);
            for symbol in 0..counts.len() {
                let (word, length) = code.word(symbol);
                for rest in [0, u32::MAX] {
                    let bits = (u32::from(word) | rest << length) & 0x7FFF;
                    assert_eq!(code.symbol(bits), (symbol, u32::from(length)));
                    assert_eq!(code.symbol_bit_by_bit(bits), (symbol, u32::from(length)));
                }
            }
            let lengths: Vec<_> = code.lengths().collect();
            assert_eq!(PrefixCode::from_lengths(&lengths), Ok(code));
        }
    }

    #[test]
    fn near_the_entropy_and_never_above_the_bound() {
        let counts: Vec<u64> = (0..63).map(|symbol| 1_000_000 >> (symbol / 3)).collect();
        let total: u64 = counts.iter().map(|count| (*count).max(1)).sum();
        let code = PrefixCode::from_counts(&counts);
        let bits: u64 = counts.iter().zip(code.lengths()).map(|(n, l)| (*n).max(1) * u64::from(l)).sum();
        let entropy: f64 = counts
            .iter()
            .map(|count| (*count).max(1) as f64)
            .map(|count| -count * (count / total as f64).log2())
            .sum();
        assert!((bits as f64) < entropy * 1.03, "{bits} bits for {entropy} bits of entropy");
        assert!(code.lengths().all(|length| length <= LENGTH_MAX));
    }

    #[test]
    fn what_is_no_code_is_refused() {
        assert_eq!(PrefixCode::from_lengths(&[1, 1, 1]), Err(PrefixError::Incomplete));
        assert_eq!(PrefixCode::from_lengths(&[1, 2]), Err(PrefixError::Incomplete));
        assert_eq!(PrefixCode::from_lengths(&[0, 1]), Err(PrefixError::Length));
        assert_eq!(PrefixCode::from_lengths(&[16, 1]), Err(PrefixError::Length));
        assert!(PrefixCode::from_lengths(&[2, 1, 2]).is_ok());
    }
}
