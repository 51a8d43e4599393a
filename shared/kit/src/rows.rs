//! From columns to the numbers that a caller reads: one field, or a whole row with each field at its first column.

use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::KindPlan;
use tickwire_shared::untyped;

/// All columns of one state, those behind its kind's being 0.
pub(crate) type Row = [f64; COLUMNS_MAX];

/// Of a state as it was told.
pub(crate) fn of_told(columns: &[i32]) -> Row {
    let mut row = [0.0; COLUMNS_MAX];
    row.iter_mut().zip(columns).for_each(|(share, column)| *share = f64::from(*column));
    row
}

/// One field in the game's units; how many numbers it has.
pub(crate) fn field(kind: &KindPlan, field: usize, row: &[f64], out: &mut [f64]) -> Option<usize> {
    let field = kind.fields.get(field)?;
    Some(untyped::values(field.class, row.get(field.first..)?, out)).filter(|count| *count > 0)
}

/// All fields in the game's units; what is behind them in `out` becomes 0.
pub(crate) fn all(kind: &KindPlan, row: &[f64], out: &mut [f64]) {
    out.fill(0.0);
    for field in &kind.fields {
        if let (Some(columns), Some(out)) = (row.get(field.first..), out.get_mut(field.first..)) {
            untyped::values(field.class, columns, out);
        }
    }
}
