//! One entity: its update, its record, its gap record.

use std::ops::Range;

use tickwire_shared::schema::{FieldClass, KindSchema, View};

use super::cadence::Gap;
use super::codes::Codes;
use super::prediction::{bits_of, half, mask_context, neighbour_class, predict, shorter, unrest_class};
use super::tape::{Refused, Tape};

/// One state: all columns of a kind, those that are not seen zero.
pub type State = Vec<i64>;
/// The last four states, the newest first.
pub type Window = [State; 4];

/// A kind as a view sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The fields that the view includes, in schema order.
    pub fields: Vec<Field>,
    /// Columns of the kind, seen or not.
    pub columns: usize,
}

/// A field and its place in a state.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// How it is coded.
    pub class: FieldClass,
    /// Its first column.
    pub first: usize,
}

impl Seen {
    /// Works out the places.
    #[must_use]
    pub fn new(kind: &KindSchema, view: View) -> Self {
        let mut seen = Self { fields: Vec::new(), columns: 0 };
        for field in &kind.fields {
            if view.sees(field.audience) {
                seen.fields.push(Field { class: field.class, first: seen.columns });
            }
            seen.columns += field.class.columns();
        }
        seen
    }
}

impl Field {
    pub(super) fn columns(self) -> Range<usize> {
        self.first..self.first + self.class.columns()
    }

    /// 0 positions, 1 angles, 2 rotations, 3 all others.
    fn group(self) -> usize {
        match self.class {
            FieldClass::Position { .. } => 0,
            FieldClass::Angle { .. } => 1,
            FieldClass::Rotation { .. } => 2,
            FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => 3,
        }
    }
}

/// What an update leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// A further state.
    Moved(State),
    /// A state that all four become.
    Cut(State),
}

/// The symbol of a cut.
const CUT: usize = 16;

/// The update from `window` to `next`, which is ignored when the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn update(
    tape: &mut Tape,
    codes: &Codes,
    seen: &Seen,
    window: &Window,
    next: &Next,
) -> Result<Next, Refused> {
    let (Next::Moved(new) | Next::Cut(new)) = next;
    let mut state = vec![0; seen.columns];
    for field in &seen.fields {
        state[field.columns()].copy_from_slice(&predict(field, window));
    }
    let missed: Vec<_> =
        seen.fields.iter().map(|field| new[field.columns()] != state[field.columns()]).collect();
    let symbol = match next {
        Next::Cut(_) => CUT,
        Next::Moved(_) => {
            (0..4).filter(|group| any_missed(seen, &missed, *group)).map(|group| 1 << group).sum()
        }
    };
    let symbol = codes.symbol(tape, "Mask", mask_context(seen, window), symbol)?;
    if symbol == CUT {
        for field in &seen.fields {
            as_it_is(tape, *field, new, &mut state)?;
        }
        return Ok(Next::Cut(state));
    }
    let missed = missed_fields(tape, seen, symbol, &missed)?;
    for (field, missed) in seen.fields.iter().zip(missed) {
        if missed {
            residuals(tape, codes, *field, window, new, &mut state)?;
        }
    }
    Ok(Next::Moved(state))
}

fn any_missed(seen: &Seen, missed: &[bool], group: usize) -> bool {
    seen.fields.iter().zip(missed).any(|(field, missed)| field.group() == group && *missed)
}

/// For each group in the mask that has more than one field, a bit for each of them.
fn missed_fields(tape: &mut Tape, seen: &Seen, mask: usize, missed: &[bool]) -> Result<Vec<bool>, Refused> {
    let mut told = vec![false; seen.fields.len()];
    for group in (0..4).filter(|group| mask >> group & 1 == 1) {
        let members: Vec<_> =
            (0..seen.fields.len()).filter(|index| seen.fields[*index].group() == group).collect();
        match members[..] {
            [] => return Err(Refused),
            [only] => told[only] = true,
            _ => {
                for index in members {
                    told[index] = tape.bit(missed[index])?;
                }
            }
        }
    }
    Ok(told)
}

/// The difference between what is expected, which `state` holds, and what is.
fn residuals(
    tape: &mut Tape,
    codes: &Codes,
    field: Field,
    window: &Window,
    new: &[i64],
    state: &mut State,
) -> Result<(), Refused> {
    let first = field.first;
    match field.class {
        FieldClass::Position { min, max, .. } => {
            let models = ["PositionFirst", "PositionNext"];
            axes(tape, codes, field.columns(), models, (min.into(), max.into()), window, new, state)
        }
        FieldClass::Rotation { bits } => {
            if !tape.bit(new[first] == state[first])? {
                return as_it_is(tape, field, new, state);
            }
            let (models, range) = (["RotationFirst", "RotationNext"], (-half(bits), half(bits)));
            axes(tape, codes, first + 1..first + 4, models, range, window, new, state)
        }
        FieldClass::Angle { bits } => {
            let context = unrest_class(field.class, window, first);
            let told = residual(tape, codes, "Angle", context, shorter(new[first] - state[first], bits))?;
            if shorter(told, bits) != told {
                return Err(Refused);
            }
            state[first] = (state[first] + told).rem_euclid(1 << bits);
            Ok(())
        }
        FieldClass::Number { min, max, .. } => {
            let (min, max) = (i64::from(min), i64::from(max));
            let context = (bits_of(max - min) as usize / 4).min(7);
            state[first] += residual(tape, codes, "Number", context, new[first] - state[first])?;
            in_range(state[first], min, max)
        }
        FieldClass::Flags { .. } | FieldClass::Opaque { .. } => as_it_is(tape, field, new, state),
    }
}

#[allow(clippy::too_many_arguments, reason = "one loop that positions and rotations share")]
fn axes(
    tape: &mut Tape,
    codes: &Codes,
    columns: Range<usize>,
    [first, next]: [&'static str; 2],
    (min, max): (i64, i64),
    window: &Window,
    new: &[i64],
    state: &mut State,
) -> Result<(), Refused> {
    let mut before = None;
    for column in columns {
        let unrest = unrest_class(FieldClass::Flags { bits: 1 }, window, column);
        let (model, context) = match before {
            None => (first, unrest),
            Some(before) => (next, unrest * 4 + neighbour_class(before)),
        };
        let told = residual(tape, codes, model, context, new[column] - state[column])?;
        state[column] += told;
        in_range(state[column], min, max)?;
        before = Some(told);
    }
    Ok(())
}

/// A symbol and the low bits.
fn residual(
    tape: &mut Tape,
    codes: &Codes,
    model: &'static str,
    context: usize,
    value: i64,
) -> Result<i64, Refused> {
    let m = value.abs() - 2;
    let symbol = match value {
        0 => 0,
        1 => 1,
        -1 => 2,
        2 => 3,
        -2 => 4,
        _ => 5 + 2 * m.ilog2() as usize + usize::from(value < 0),
    };
    let symbol = codes.symbol(tape, model, context, symbol)?;
    if symbol < 5 {
        return Ok([0, 1, -1, 2, -2][symbol]);
    }
    let k = (symbol as u32 - 5) / 2;
    let magnitude = (1 << k | tape.number(m & ((1 << k) - 1), k)?) + 2;
    Ok(if (symbol - 5).is_multiple_of(2) { magnitude } else { -magnitude })
}

fn as_it_is(tape: &mut Tape, field: Field, new: &[i64], state: &mut State) -> Result<(), Refused> {
    let first = field.first;
    match field.class {
        FieldClass::Position { min, max, .. } | FieldClass::Number { min, max, .. } => {
            for column in field.columns() {
                state[column] = ranged(tape, new[column], min.into(), max.into())?;
            }
        }
        FieldClass::Rotation { bits } => {
            state[first] = tape.number(new[first], 2)?;
            for column in first + 1..first + 4 {
                state[column] = ranged(tape, new[column], -half(bits), half(bits))?;
            }
        }
        // Columns are 32 bits and signed, so that the highest of 32 flags is the sign.
        FieldClass::Angle { bits } | FieldClass::Flags { bits } | FieldClass::Opaque { bits } => {
            state[first] = i64::from(tape.number(new[first], bits.into())? as u32 as i32);
        }
    }
    Ok(())
}

fn ranged(tape: &mut Tape, value: i64, min: i64, max: i64) -> Result<i64, Refused> {
    let told = min + tape.number(value - min, bits_of(max - min))?;
    in_range(told, min, max)?;
    Ok(told)
}

fn in_range(value: i64, min: i64, max: i64) -> Result<(), Refused> {
    if (min..=max).contains(&value) { Ok(()) } else { Err(Refused) }
}

/// A full record. `window` is ignored when the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn record(tape: &mut Tape, codes: &Codes, seen: &Seen, window: &Window) -> Result<Window, Refused> {
    let mut newest = vec![0; seen.columns];
    for field in &seen.fields {
        as_it_is(tape, *field, &window[0], &mut newest)?;
    }
    older_states(tape, codes, seen, newest, window)
}

/// A record for whoever holds `held`, of the states that it lacks. Of `window` as many are written; it is ignored when
/// the tape is read.
///
/// # Errors
/// [`Refused`].
pub fn gap_record(
    tape: &mut Tape,
    codes: &Codes,
    seen: &Seen,
    held: &Window,
    gap: &Gap,
    window: &Window,
) -> Result<Window, Refused> {
    let mut known = if gap.is_seamless() { held.clone() } else { gone_on(seen, held, gap) };
    for age in (0..gap.states).rev() {
        let Next::Moved(state) = update(tape, codes, seen, &known, &Next::Moved(window[age].clone()))? else {
            return Err(Refused);
        };
        let is_first = age + 1 == gap.states;
        if is_first && !gap.is_seamless() {
            lead_to(seen, &mut known, &state);
        }
        known.rotate_right(1);
        known[0] = state;
    }
    Ok(known)
}

fn position_columns(seen: &Seen) -> impl Iterator<Item = usize> {
    let positions = seen.fields.iter().filter(|field| matches!(field.class, FieldClass::Position { .. }));
    positions.flat_map(|field| field.columns())
}

/// W1 to W4: where the positions would be before the first missing state had they gone on with their last step.
fn gone_on(seen: &Seen, held: &Window, gap: &Gap) -> Window {
    let mut window = held.clone();
    for column in position_columns(seen) {
        let [s1, s2, s3, s4] = [0, 1, 2, 3].map(|age| held[age][column]);
        let [e1, e2, e3] = [s1 - s2, s2 - s3, s3 - s4].map(|step| step.clamp(-(1 << 18), 1 << 18));
        let w1 = s1 + e1 * gap.ahead / gap.from - e1 * gap.to / gap.from;
        let w2 = w1 - e1 * gap.to / gap.from;
        let w3 = w2 - e2 * gap.to / gap.from;
        let w4 = w3 - e3 * gap.to / gap.from;
        [w1, w2, w3, w4].into_iter().enumerate().for_each(|(age, value)| window[age][column] = value);
    }
    window
}

/// The first missing state is known: W1 to W3 become what comes after it, with the steps that they made.
fn lead_to(seen: &Seen, known: &mut Window, first: &State) {
    for column in position_columns(seen) {
        let [w1, w2, w3] = [0, 1, 2].map(|age| known[age][column]);
        let n = first[column];
        known[0][column] = n - (w1 - w2);
        known[1][column] = n - 2 * (w1 - w2);
        known[2][column] = n - 2 * (w1 - w2) - (w2 - w3);
    }
}

/// The three older states as updates that run backwards in time.
fn older_states(
    tape: &mut Tape,
    codes: &Codes,
    seen: &Seen,
    newest: State,
    window: &Window,
) -> Result<Window, Refused> {
    let mut told = vec![newest];
    for age in 1..4 {
        // The last one told stands for S1; before the first there is nothing but the first.
        let newer: Window = [0, 1, 2, 3].map(|back| told[(age - 1_usize).saturating_sub(back)].clone());
        match update(tape, codes, seen, &newer, &Next::Moved(window[age].clone()))? {
            Next::Cut(_) => return Err(Refused),
            Next::Moved(older) => told.push(older),
        }
    }
    Ok([0, 1, 2, 3].map(|age| told[age].clone()))
}
