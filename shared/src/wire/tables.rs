//! Tables: one prefix code for each context, trained offline and shipped as data.
//!
//! A table file is `TWTB`, the format's number, and a four-bit length for every symbol of every context. It may come
//! from a peer, so everything in it is checked before use. Every table knows every symbol: a game that it was not
//! trained on is coded larger, never wrong.

use std::sync::{Arc, OnceLock};

use super::prefix::{PrefixCode, PrefixError};
use super::symbols::{CONTEXTS, Model};

/// First bytes of a table file.
const MAGIC: &[u8; 4] = b"TWTB";
/// Layout of the file and meaning of its contexts.
const FORMAT: u8 = 1;
/// Length of every table file, in bytes.
pub const TABLE_BYTES: usize = 5 + symbols_of_all().div_ceil(2);

/// Symbols of all contexts together.
const fn symbols_of_all() -> usize {
    let (mut total, mut index) = (0, 0);
    while index < Model::ALL.len() {
        total += Model::ALL[index].contexts() * Model::ALL[index].symbols();
        index += 1;
    }
    total
}

/// Why bytes are not a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// Not a table file at all, or one of another length.
    #[error("not a table file")]
    NotTables,
    /// From another version of this program.
    #[error("the table file has format {0}, this program reads format {FORMAT}")]
    Format(u8),
    /// The code of one context is none.
    #[error("context {context}: {error}")]
    Code {
        /// Which.
        context: usize,
        /// What is wrong with it.
        error: PrefixError,
    },
}

/// A code for each context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tables {
    codes: Vec<PrefixCode>,
    version: u32,
}

impl Tables {
    /// The tables that come with this crate: trained on many kinds of movement.
    #[must_use]
    pub fn generic() -> Arc<Self> {
        static GENERIC: OnceLock<Arc<Tables>> = OnceLock::new();
        Self::shipped(include_bytes!("generic.tables"), &GENERIC)
    }

    /// Tables that a program carries with it, read once into `place`.
    ///
    /// # Panics
    /// When `file` is not a table file, which a game's own tests find out.
    #[must_use]
    pub fn shipped(file: &[u8], place: &OnceLock<Arc<Self>>) -> Arc<Self> {
        let read = || Arc::new(Self::from_bytes(file).expect("a table file that was shipped"));
        Arc::clone(place.get_or_init(read))
    }

    /// From a table file.
    ///
    /// # Errors
    /// [`TablesError`] when the bytes are not one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TablesError> {
        let body = bytes.strip_prefix(MAGIC).ok_or(TablesError::NotTables)?;
        match body.first() {
            Some(&FORMAT) if bytes.len() == TABLE_BYTES => {}
            Some(&FORMAT) | None => return Err(TablesError::NotTables),
            Some(format) => return Err(TablesError::Format(*format)),
        }
        let mut lengths = body[1..].iter().flat_map(|byte| [byte & 15, byte >> 4]);
        let mut codes = Vec::with_capacity(CONTEXTS);
        for model in Model::ALL {
            for _ in 0..model.contexts() {
                let lengths: Vec<u8> = lengths.by_ref().take(model.symbols()).collect();
                let context = codes.len();
                let code = PrefixCode::from_lengths(&lengths);
                codes.push(code.map_err(|error| TablesError::Code { context, error })?);
            }
        }
        let version = bytes
            .iter()
            .fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
        Ok(Self { codes, version })
    }

    /// The table file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lengths: Vec<u8> = self.codes.iter().flat_map(PrefixCode::lengths).collect();
        let mut bytes = [MAGIC.as_slice(), &[FORMAT]].concat();
        bytes.extend(lengths.chunks(2).map(|pair| pair[0] | pair.get(1).copied().unwrap_or(0) << 4));
        bytes
    }

    /// A number for these very tables: the hash of their file.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The code of a context of a model.
    #[inline]
    #[must_use]
    pub fn code(&self, model: Model, context: usize) -> &PrefixCode {
        debug_assert!(context < model.contexts());
        &self.codes[model.first_context() + context]
    }
}

/// How often each symbol stood in each context: what tables are trained from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts(Vec<Vec<u64>>);

impl Default for Counts {
    fn default() -> Self {
        let contexts = Model::ALL.iter().flat_map(|model| vec![vec![0; model.symbols()]; model.contexts()]);
        Self(contexts.collect())
    }
}

impl Counts {
    /// One more.
    pub fn add(&mut self, model: Model, context: usize, symbol: usize) {
        self.0[model.first_context() + context][symbol] += 1;
    }

    /// The best tables for what was counted. Contexts that were hardly seen lean on all contexts of their model
    /// together, so that no symbol becomes absurdly long.
    #[must_use]
    pub fn train(&self) -> Tables {
        let mut codes = Vec::with_capacity(CONTEXTS);
        for model in Model::ALL {
            let contexts = &self.0[model.first_context()..model.first_context() + model.contexts()];
            let pooled: Vec<u64> = (0..model.symbols())
                .map(|symbol| contexts.iter().map(|counts| counts[symbol]).sum())
                .collect();
            let pooled_total = pooled.iter().sum::<u64>().max(1);
            for counts in contexts {
                // The pool weighs as much as this many observations of the context itself.
                let blend = |(own, all): (&u64, &u64)| own * 4096 + all * 64 * 4096 / pooled_total + 16;
                let blended: Vec<u64> = counts.iter().zip(&pooled).map(blend).collect();
                codes.push(PrefixCode::from_counts(&blended));
            }
        }
        let mut tables = Tables { codes, version: 0 };
        tables.version = Tables::from_bytes(&tables.to_bytes()).map_or(0, |read| read.version);
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_comes_back() {
        let mut counts = Counts::default();
        for model in Model::ALL {
            for context in 0..model.contexts() {
                (0..50).for_each(|n| counts.add(model, context, n * n % model.symbols()));
            }
        }
        let tables = counts.train();
        assert_eq!(Tables::from_bytes(&tables.to_bytes()).as_ref(), Ok(&tables));
        assert_ne!(tables.version(), Counts::default().train().version());
    }

    #[test]
    fn damaged_files_are_refused() {
        let bytes = Tables::generic().to_bytes();
        assert_eq!(bytes.len(), TABLE_BYTES);
        assert_eq!(Tables::from_bytes(&bytes[1..]), Err(TablesError::NotTables));
        assert_eq!(Tables::from_bytes(&bytes[..bytes.len() - 1]), Err(TablesError::NotTables));
        let mut other = bytes.clone();
        other[4] = 9;
        assert_eq!(Tables::from_bytes(&other), Err(TablesError::Format(9)));
        for at in [5, 100, bytes.len() - 2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x11;
            assert!(matches!(Tables::from_bytes(&damaged), Err(TablesError::Code { .. })), "byte {at}");
        }
    }
}
