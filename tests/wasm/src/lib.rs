//! What every build of the shared crate must compute alike: the pure step, and what a client makes of the vectors in
//! `shared/vectors`. The default tests check the native build; `.ci/wasm` runs the same functions as wasm.

use tickwire_shared::Micros;
use tickwire_shared::arena::map::Map;
use tickwire_shared::arena::motion::{self, Motion};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::checksum::Checksum;

/// Hash of 10,000 steps.
pub const GOLDEN_STEP: u32 = 4_086_370_587;
/// Hash of all states in the vectors.
pub const GOLDEN_VECTORS: u32 = 644_237_944;

const MESSAGES: &str = include_str!("../../../shared/vectors/arena_messages.txt");

/// 10,000 steps of the pure motion with inputs that change every twelve, hashed bit by bit.
#[must_use]
pub fn step_hash() -> u32 {
    let map = Map::new(42, 200);
    let (mut motion, mut input, mut sum) = (Motion::default(), ArenaInput::default(), Checksum::default());
    let mut word = 42_u32;
    for step in 0..10_000 {
        if step % 12 == 0 {
            // Numerical Recipes' generator: the high bits are random enough to walk by.
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            input.walk = [(word >> 24) as i8 / 2, (word >> 16) as i8 / 2];
        }
        motion = motion::step(motion, &input, &map, 1.0 / 30.0);
        for value in [motion.position.x, motion.position.y, motion.velocity.x, motion.velocity.y] {
            sum.word(value.to_bits());
        }
    }
    sum.finish()
}

/// Every state that a client holds after each message of the vectors; 0 when one of them is refused.
#[must_use]
pub fn vectors_hash() -> u32 {
    replay().map_or(0, Checksum::finish)
}

fn replay() -> Option<Checksum> {
    let mut session = Session::<Arena>::new(Identity::default()).ok()?;
    let mut sum = Checksum::default();
    // The first line is the client's own Hello.
    for line in MESSAGES.lines().skip(1) {
        let byte = |at: usize| u8::from_str_radix(line.get(at..at + 2)?, 16).ok();
        let bytes: Option<Vec<u8>> = (0..line.len()).step_by(2).map(byte).collect();
        session.handle_message(&bytes?, Micros(0)).ok()?;
        sum.word(session.replica()?.checksum());
    }
    (session.stats().mismatches == 0 && session.stats().checksums > 0).then_some(sum)
}

/// For a host that knows nothing but numbers: 0 when this build agrees, else which check failed.
#[allow(
    unsafe_code,
    reason = "an exported name is what a host calls; the function takes and gives plain numbers"
)]
#[unsafe(no_mangle)]
pub extern "C" fn tickwire_check() -> u32 {
    u32::from(step_hash() != GOLDEN_STEP) + 2 * u32::from(vectors_hash() != GOLDEN_VECTORS)
}
