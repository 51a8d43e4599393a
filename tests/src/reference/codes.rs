//! From a table file to the words of every context.

use std::collections::BTreeMap;

use super::tape::{Refused, Tape};

/// Models in the order of a table: name, contexts, symbols.
const MODELS: [(&str, usize, usize); 7] = [
    ("Mask", 108, 17),
    ("PositionFirst", 8, 65),
    ("PositionNext", 32, 65),
    ("Angle", 8, 65),
    ("RotationFirst", 8, 65),
    ("RotationNext", 32, 65),
    ("Number", 8, 65),
];

/// The code of every context.
#[derive(Clone, Debug)]
pub struct Codes(BTreeMap<(&'static str, usize), Code>);

/// Symbol to word, and back.
#[derive(Clone, Debug, Default)]
struct Code {
    words: Vec<Vec<bool>>,
    symbols: BTreeMap<Vec<bool>, usize>,
}

impl Codes {
    /// From a table file that is known to be good.
    ///
    /// # Panics
    /// When it is no table file.
    #[must_use]
    pub fn new(file: &[u8]) -> Self {
        assert_eq!(&file[..5], b"TWTB\x01");
        let mut lengths = file[5..].iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let mut codes = BTreeMap::new();
        for (model, contexts, symbols) in MODELS {
            for context in 0..contexts {
                let lengths: Vec<_> = lengths.by_ref().take(symbols).collect();
                codes.insert((model, context), Code::new(&lengths));
            }
        }
        Self(codes)
    }

    /// A symbol in a context.
    ///
    /// # Errors
    /// [`Refused`] when the tape ends within a word.
    pub fn symbol(
        &self,
        tape: &mut Tape,
        model: &'static str,
        context: usize,
        symbol: usize,
    ) -> Result<usize, Refused> {
        let code = &self.0[&(model, context)];
        let mut word = Vec::new();
        loop {
            word.push(tape.bit(code.words[symbol].get(word.len()).copied().unwrap_or_default())?);
            if let Some(symbol) = code.symbols.get(&word) {
                return Ok(*symbol);
            }
        }
    }
}

impl Code {
    /// Words by rising length, among equals by rising symbol, counted upwards.
    fn new(lengths: &[u8]) -> Self {
        let mut code = Self { words: vec![Vec::new(); lengths.len()], ..Self::default() };
        let mut next = 0_u32;
        for length in 1..=15 {
            next <<= 1;
            for symbol in (0..lengths.len()).filter(|symbol| lengths[*symbol] == length) {
                let word: Vec<_> = (0..length).rev().map(|place| next >> place & 1 == 1).collect();
                code.symbols.insert(word.clone(), symbol);
                code.words[symbol] = word;
                next += 1;
            }
        }
        assert_eq!(next, 1 << 15, "the lengths are those of a complete code");
        code
    }
}
