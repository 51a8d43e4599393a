//! Updates and records come back as they were, for every class of field and for the worst of histories.

use tickwire_shared::limits::{COLUMNS_MAX, HISTORY};
use tickwire_shared::schema::{
    Audience, FieldClass, FieldSchema, KindSchema, NoPrivate, Plan, Replicate, Schema, View,
};
use tickwire_shared::wire::bits::{BitReader, BitWriter};
use tickwire_shared::wire::quantize::{low_mask, rotation_half};
use tickwire_shared::wire::record;
use tickwire_shared::wire::residual::{Coder, Decoder, Window};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::update::{self, Step};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

/// A kind of random fields.
pub(super) fn random_kind(dice: &mut Dice) -> KindSchema {
    let mut kind = KindSchema { name: "Random".to_owned(), fields: Vec::new() };
    for index in 0..1 + dice.below(6) {
        let low = dice.below(1 << 27) as i32 - (1 << 26);
        let width = dice.below(27);
        let (min, max) = (low, low + 1 + dice.below(1 << width) as i32);
        let class = match dice.below(7) {
            0 => FieldClass::Position { dims: 2, quantum: 0.01, min, max },
            1 => FieldClass::Position { dims: 3, quantum: 0.01, min, max },
            2 => FieldClass::Angle { bits: 1 + dice.below(20) as u8 },
            3 => FieldClass::Rotation { bits: 2 + dice.below(14) as u8 },
            4 => FieldClass::Number { quantum: 1.0, min, max },
            5 => FieldClass::Flags { bits: 1 + dice.below(32) as u8 },
            _ => FieldClass::Opaque { bits: 1 + dice.below(32) as u8 },
        };
        let audience = [Audience::All, Audience::Team, Audience::Owner][dice.below(3) as usize];
        kind.fields.push(FieldSchema { name: format!("field{index}"), class, audience });
    }
    kind
}

/// A state near `from`, far from it, or at the edge of what is possible.
pub(super) fn random_state(plan: &Plan, from: &[i32], dice: &mut Dice) -> Vec<i32> {
    let mut state = from.to_vec();
    for field in &plan.kinds[0].fields {
        if dice.one_in(3) {
            continue;
        }
        for column in field.first..field.first + field.columns {
            let (min, max) = match field.class {
                FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. } => (min, max),
                FieldClass::Rotation { bits } if column > field.first => {
                    (-rotation_half(bits), rotation_half(bits))
                }
                FieldClass::Rotation { .. } => (0, 3),
                FieldClass::Angle { bits } | FieldClass::Flags { bits } | FieldClass::Opaque { bits } => {
                    state[column] = (dice.word() & low_mask(bits)) as i32;
                    continue;
                }
            };
            let near = i64::from(from[column]) + i64::from(dice.below(41)) - 20;
            let value = match dice.below(6) {
                0 => i64::from(min),
                1 => i64::from(max),
                2 => i64::from(min) + i64::from(dice.below((i64::from(max) - i64::from(min)) as u32)),
                _ => near,
            };
            state[column] = value.clamp(i64::from(min), i64::from(max)) as i32;
        }
    }
    state
}

pub(super) fn hide(plan: &Plan, view: View, state: &mut [i32]) {
    for field in plan.kinds[0].fields.iter().filter(|field| field.view > view) {
        state[field.first..field.first + field.columns].fill(0);
    }
}

#[test]
fn updates_and_records_come_back() {
    for_seeds(seed_count(400, 20_000), |seed| {
        let mut dice = Dice::new(seed);
        let tables = Tables::generic();
        let schema = Schema {
            game: "random".to_owned(),
            revision: 1,
            kinds: vec![random_kind(&mut dice)],
            private: NoPrivate::kind_schema(),
        };
        schema.check().expect("random schemas make sense");
        let plan = Plan::new(&schema);
        let (kind, stride) = (&plan.kinds[0], plan.stride);
        let view = View::ALL[dice.below(3) as usize];
        let mut start = vec![0; stride];
        for field in &kind.fields {
            if let FieldClass::Position { min, .. } | FieldClass::Number { min, .. } = field.class {
                start[field.first..field.first + field.columns].fill(min);
            }
        }
        let mut states = vec![random_state(&plan, &start, &mut dice)];
        for _ in 0..HISTORY {
            let next =
                if dice.one_in(3) { states[0].clone() } else { random_state(&plan, &states[0], &mut dice) };
            states.insert(0, next);
        }
        states.iter_mut().for_each(|state| hide(&plan, view, state));
        let old = states[1..].concat();
        let window = Window::new(&old, stride);
        for step in [Step::Moved, Step::Cut] {
            let mut writer = BitWriter::default();
            update::write(
                kind,
                view,
                step,
                window,
                &states[0],
                &mut Coder { tables: &tables, out: &mut writer },
            );
            let bytes = writer.take_bytes();
            let mut reader = BitReader::new(&bytes);
            let mut state = [0; COLUMNS_MAX];
            let mut decoder = Decoder { tables: &tables, bits: &mut reader };
            let read = update::read(kind, view, window, &mut state, &mut decoder);
            assert_eq!(read, Ok(step));
            assert_eq!(state[..stride], states[0]);
            assert_eq!(reader.finish(), Ok(()));
        }
        let mut writer = BitWriter::default();
        record::write(kind, view, stride, window, &mut Coder { tables: &tables, out: &mut writer });
        let bytes = writer.take_bytes();
        let mut reader = BitReader::new(&bytes);
        let mut back = vec![7; stride * HISTORY];
        let mut decoder = Decoder { tables: &tables, bits: &mut reader };
        assert_eq!(record::read(kind, view, stride, &mut back, &mut decoder), Ok(()));
        assert_eq!(back, old);
        assert_eq!(reader.finish(), Ok(()));
    });
}
