//! What a picture is drawn from: arrays of JavaScript's that are filled anew for each picture and made anew only when there is more
//! than ever before, so that drawing leaves next to nothing for the garbage collector.

use js_sys::{Float64Array, Int32Array, Uint8Array, Uint32Array};
use tickwire_kit::Kit;
use tickwire_shared::Micros;
use tickwire_shared::client::Freshness;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "View")]
    #[derive(Clone)]
    pub type View;
    #[wasm_bindgen(typescript_type = "Told")]
    #[derive(Clone)]
    pub type Told;

    /// Both are plain objects with these properties, more or fewer of them.
    #[wasm_bindgen(extends = View, extends = Told)]
    type Table;
    #[wasm_bindgen(method, setter)]
    fn set_tick(this: &Table, tick: f64);
    #[wasm_bindgen(method, setter)]
    fn set_count(this: &Table, count: usize);
    #[wasm_bindgen(method, setter)]
    fn set_ids(this: &Table, ids: &Uint32Array);
    #[wasm_bindgen(method, setter)]
    fn set_kinds(this: &Table, kinds: &Uint8Array);
    #[wasm_bindgen(method, setter)]
    fn set_freshness(this: &Table, freshness: &Uint8Array);
    #[wasm_bindgen(method, setter)]
    fn set_parked(this: &Table, parked: &Uint8Array);
    #[wasm_bindgen(method, setter)]
    fn set_values(this: &Table, values: &Float64Array);
    #[wasm_bindgen(method, setter)]
    fn set_columns(this: &Table, columns: &Int32Array);
    #[wasm_bindgen(method, setter)]
    fn set_own(this: &Table, own: &Float64Array);
    #[wasm_bindgen(method, setter, js_name = ownColumns)]
    fn set_own_columns(this: &Table, own: &Int32Array);
}

/// An array of JavaScript's.
trait Theirs<N> {
    fn of_length(length: u32) -> Self;
    fn copy(&self, from: &[N]);
}

macro_rules! theirs {
    ($($array:ty, $number:ty;)*) => {$(
        impl Theirs<$number> for $array {
            fn of_length(length: u32) -> Self {
                Self::new_with_length(length)
            }

            fn copy(&self, from: &[$number]) {
                self.copy_from(from);
            }
        }
    )*};
}

theirs! { Uint32Array, u32; Uint8Array, u8; Int32Array, i32; Float64Array, f64; }

/// Numbers here, and as many there.
struct Mirror<N, A> {
    here: Vec<N>,
    there: A,
}

impl<N: Copy + Default, A: Theirs<N>> Mirror<N, A> {
    fn new(length: usize) -> Self {
        Self { here: vec![N::default(); length], there: A::of_length(length as u32) }
    }

    /// Makes room for so many at least, by doubling.
    fn fit(&mut self, length: usize) {
        if self.here.len() < length {
            *self = Self::new(length.next_power_of_two());
        }
    }

    fn send(&self) {
        self.there.copy(&self.here);
    }
}

/// One row per entity, and one for the private state.
struct Rows<N, A> {
    entities: Mirror<N, A>,
    own: Mirror<N, A>,
    stride: usize,
}

impl<N: Copy + Default, A: Theirs<N>> Rows<N, A> {
    fn new(kit: &Kit) -> Self {
        let stride = kit.plan().stride;
        Self { entities: Mirror::new(0), own: Mirror::new(stride), stride }
    }

    /// Fills all rows, those of the entities by their indices.
    fn fill(&mut self, count: usize, of: impl Fn(usize, &mut [N]), own: impl FnOnce(&mut [N])) {
        self.entities.fit(count * self.stride);
        // A schema without a field has rows without a number.
        for (index, row) in self.entities.here.chunks_exact_mut(self.stride.max(1)).take(count).enumerate() {
            of(index, row);
        }
        own(&mut self.own.here);
        self.entities.send();
        self.own.send();
    }
}

/// What `Session.view` hands out.
pub(crate) struct Picture {
    table: Table,
    ids: Mirror<u32, Uint32Array>,
    kinds: Mirror<u8, Uint8Array>,
    freshness: Mirror<u8, Uint8Array>,
    values: Rows<f64, Float64Array>,
}

impl Picture {
    pub(crate) fn new(kit: &Kit) -> Self {
        let [kinds, freshness] = [(); 2].map(|()| Mirror::new(0));
        Self { table: table(), ids: Mirror::new(0), kinds, freshness, values: Rows::new(kit) }
    }

    pub(crate) fn take(&mut self, kit: &mut Kit, now: Micros) -> Option<View> {
        let moment = kit.look(now)?;
        let shown = kit.shown();
        self.ids.fit(shown.len());
        self.kinds.fit(shown.len());
        self.freshness.fit(shown.len());
        for (index, entity) in shown.iter().enumerate() {
            self.ids.here[index] = entity.id;
            self.kinds.here[index] = entity.kind;
            self.freshness.here[index] = match entity.freshness {
                Freshness::Interpolated => 0,
                Freshness::Extrapolated => 1,
                Freshness::Held => 2,
            };
        }
        let own = |row: &mut [f64]| kit.own_row(row).unwrap_or_default();
        self.values.fill(shown.len(), |index, row| kit.shown_row(index, row).unwrap_or_default(), own);
        self.ids.send();
        self.kinds.send();
        self.freshness.send();
        let table = &self.table;
        table.set_tick(f64::from(moment.tick.0) + f64::from(moment.fraction) / 256.0);
        table.set_count(shown.len());
        table.set_ids(&self.ids.there);
        table.set_kinds(&self.kinds.there);
        table.set_freshness(&self.freshness.there);
        table.set_values(&self.values.entities.there);
        table.set_own(&self.values.own.there);
        Some(AsRef::<View>::as_ref(table).clone())
    }
}

/// What `Session.told` hands out.
pub(crate) struct Account {
    table: Table,
    ids: Mirror<u32, Uint32Array>,
    kinds: Mirror<u8, Uint8Array>,
    parked: Mirror<u8, Uint8Array>,
    values: Rows<f64, Float64Array>,
    columns: Rows<i32, Int32Array>,
}

impl Account {
    pub(crate) fn new(kit: &Kit) -> Self {
        let [kinds, parked] = [(); 2].map(|()| Mirror::new(0));
        let (values, columns) = (Rows::new(kit), Rows::new(kit));
        Self { table: table(), ids: Mirror::new(0), kinds, parked, values, columns }
    }

    pub(crate) fn take(&mut self, kit: &Kit) -> Option<Told> {
        let replica = kit.session().replica()?;
        let slots = replica.slots();
        self.ids.fit(slots.len());
        self.kinds.fit(slots.len());
        self.parked.fit(slots.len());
        for (index, slot) in slots.iter().enumerate() {
            self.ids.here[index] = slot.id.0;
            self.kinds.here[index] = slot.kind.0;
            self.parked.here[index] = u8::from(slot.parked.is_some());
        }
        let own = |row: &mut [f64]| kit.private_row(row).unwrap_or_default();
        self.values.fill(slots.len(), |index, row| kit.row(index, row).unwrap_or_default(), own);
        let own = |row: &mut [i32]| copy(replica.private(), row);
        self.columns.fill(slots.len(), |index, row| copy(replica.state(index), row), own);
        self.ids.send();
        self.kinds.send();
        self.parked.send();
        let table = &self.table;
        table.set_tick(f64::from(replica.tick().0));
        table.set_count(slots.len());
        table.set_ids(&self.ids.there);
        table.set_kinds(&self.kinds.there);
        table.set_parked(&self.parked.there);
        table.set_values(&self.values.entities.there);
        table.set_columns(&self.columns.entities.there);
        table.set_own(&self.values.own.there);
        table.set_own_columns(&self.columns.own.there);
        Some(AsRef::<Told>::as_ref(table).clone())
    }
}

fn table() -> Table {
    js_sys::Object::new().unchecked_into()
}

fn copy(columns: &[i32], row: &mut [i32]) {
    row.fill(0);
    row.iter_mut().zip(columns).for_each(|(out, column)| *out = *column);
}
