//! The symbols of an update and the contexts in which they stand: what a table knows, and all that it knows. It
//! is about classes of fields, not about a game, so tables of one game work for every other, only less well.

/// One kind of symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Model {
    /// Which groups of fields are not as predicted.
    Mask,
    /// The first axis of a position.
    PositionFirst,
    /// Each further axis.
    PositionNext,
    /// An angle.
    Angle,
    /// The first component of a rotation.
    RotationFirst,
    /// Each further component.
    RotationNext,
    /// A number.
    Number,
}

/// Symbols of a miss mask: 16 sets of groups, and the cut.
pub const MASK_SYMBOLS: usize = 17;
/// The symbol of a cut.
pub const MASK_CUT: usize = 16;
/// Symbols of a residual: 0, ±1, ±2, then sign and power of two.
pub const RESIDUAL_SYMBOLS: usize = 5 + 2 * RESIDUAL_CLASSES;
/// Powers of two that a residual can need.
const RESIDUAL_CLASSES: usize = 30;

impl Model {
    /// All of them, in the order in which a table holds them.
    pub const ALL: [Self; 7] = [
        Self::Mask,
        Self::PositionFirst,
        Self::PositionNext,
        Self::Angle,
        Self::RotationFirst,
        Self::RotationNext,
        Self::Number,
    ];

    /// How many contexts it has.
    #[must_use]
    pub const fn contexts(self) -> usize {
        match self {
            Self::Mask => MASK_CONTEXTS,
            Self::PositionFirst | Self::Angle | Self::RotationFirst | Self::Number => UNREST_CLASSES,
            Self::PositionNext | Self::RotationNext => UNREST_CLASSES * NEIGHBOUR_CLASSES,
        }
    }

    /// How many symbols it has.
    #[must_use]
    pub const fn symbols(self) -> usize {
        match self {
            Self::Mask => MASK_SYMBOLS,
            _ => RESIDUAL_SYMBOLS,
        }
    }

    /// Its first context among those of all models.
    #[must_use]
    pub const fn first_context(self) -> usize {
        let (mut first, mut index) = (0, 0);
        while index < self as usize {
            first += Self::ALL[index].contexts();
            index += 1;
        }
        first
    }
}

/// Contexts of all models together.
pub const CONTEXTS: usize = Model::Number.first_context() + Model::Number.contexts();

/// Classes of how unforeseeable a column has been.
const UNREST_CLASSES: usize = 8;
/// Classes of the residual that was just coded.
const NEIGHBOUR_CLASSES: usize = 4;
const MASK_CONTEXTS: usize = 3 * 3 * 2 * 2 * 3;

/// The context of a column with so much unrest.
#[inline]
#[must_use]
pub fn unrest_class(unrest: u32) -> usize {
    (32 - unrest.leading_zeros() as usize).min(UNREST_CLASSES - 1)
}

/// The context of a further axis, after a residual.
#[inline]
#[must_use]
pub fn neighbour_context(unrest: u32, residual_before: i32) -> usize {
    let neighbour = match residual_before.unsigned_abs() {
        0 => 0,
        1..=2 => 1,
        3..=12 => 2,
        _ => 3,
    };
    unrest_class(unrest) * NEIGHBOUR_CLASSES + neighbour
}

/// How an entity's leading field has moved: what the mask's context is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct Motion {
    /// Largest |d1 − d2| of any axis.
    pub last_miss: u32,
    /// Largest |d2 − d3| of any axis.
    pub older_miss: u32,
    /// Whether any d1 is not zero.
    pub moves: bool,
    /// Whether any d2 is not zero.
    pub moved: bool,
    /// The same of the first angle: 0 at rest, 1 turning evenly, 2 turning unevenly.
    pub turning: usize,
}

impl Motion {
    /// The mask's context.
    #[inline]
    #[must_use]
    pub fn context(&self) -> usize {
        let class = |miss: u32| match miss {
            0 => 0,
            1..=2 => 1,
            _ => 2,
        };
        let misses = class(self.last_miss) * 3 + class(self.older_miss);
        ((misses * 2 + usize::from(self.moves)) * 2 + usize::from(self.moved)) * 3 + self.turning
    }
}

/// A residual as its symbol, and the raw bits that follow: how many, and which.
#[inline]
#[must_use]
pub fn split_residual(residual: i32) -> (usize, u32, u32) {
    let negative = usize::from(residual < 0);
    match residual.unsigned_abs() {
        0 => (0, 0, 0),
        magnitude @ 1..=2 => (magnitude as usize * 2 - 1 + negative, 0, 0),
        magnitude => {
            let above = magnitude - 2;
            let class = 31 - above.leading_zeros();
            (5 + 2 * class as usize + negative, class, above & !(1 << class))
        }
    }
}

/// How many raw bits follow a symbol.
#[inline]
#[must_use]
pub fn raw_bits(symbol: usize) -> u32 {
    if symbol < 5 { 0 } else { (symbol as u32 - 5) / 2 }
}

/// The inverse of [`split_residual`].
#[inline]
#[must_use]
pub fn join_residual(symbol: usize, raw: u32) -> i64 {
    let (magnitude, negative) = match symbol {
        0 => (0, false),
        1..=4 => (symbol.div_ceil(2) as i64, symbol.is_multiple_of(2)),
        _ => ((i64::from(raw) | 1 << raw_bits(symbol)) + 2, symbol.is_multiple_of(2)),
    };
    if negative { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn residuals_come_back() {
        for magnitude in (0..2_000).chain((0..29).flat_map(|bit| [(1 << bit) - 1, 1 << bit, (1 << bit) + 1]))
        {
            for residual in [magnitude, -magnitude] {
                let (symbol, count, raw) = split_residual(residual);
                assert!(symbol < RESIDUAL_SYMBOLS);
                assert_eq!(raw_bits(symbol), count);
                assert_eq!(join_residual(symbol, raw), i64::from(residual));
            }
        }
    }

    #[test]
    fn contexts_are_within_their_models() {
        let mut seen = std::collections::BTreeSet::new();
        for miss in [0, 1, 2, 3, 1 << 20] {
            for older_miss in [0, 1, 2, 3, 1 << 20] {
                for (moves, moved) in [(false, false), (false, true), (true, false), (true, true)] {
                    for turning in 0..3 {
                        let motion = Motion { last_miss: miss, older_miss, moves, moved, turning };
                        seen.insert(motion.context());
                    }
                }
            }
            assert!(unrest_class(miss) < Model::Angle.contexts());
            assert!(neighbour_context(miss, i32::MIN) < Model::PositionNext.contexts());
        }
        assert_eq!(seen.len(), Model::Mask.contexts());
        assert!(seen.into_iter().all(|context| context < Model::Mask.contexts()));
    }
}
