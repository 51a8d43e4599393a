//! Lag compensation: lends the game the past as each client was shown it. Runs while the game makes a step, for each shot
//! that it judges.
//!
//! A client says which moment it showed, and is believed within bounds: no moment that is not over yet, none longer ago
//! than the room is configured, and nothing that the client was not shown then. The ring that bridges pauses serves this too.

use tickwire_shared::schema::SchemaError;
use tickwire_shared::wire::cadence::{Cadences, Tier};
use tickwire_shared::{ClientId, NetId, Protocol, Tick, ViewTick};

use super::clients::Clients;
use super::counters::Rewinds;
use super::room::RoomConfig;
use crate::simulation::{Detail, EntityKey, Game, Past, Shown};
use crate::snapshot::{Capture, Packed, Telling};

/// No room looks back farther, however it is configured.
const REWIND_MICROS_MAX: u64 = 500_000;

/// Why a game cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GameError {
    /// Its schema is unusable.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// What a weapon reaches is not told of at the first cadence, so shooters would be shown it too late to be judged by.
    #[error(
        "weapons reach {reach}, but entities of kind `{kind}` are told of at every frame within {fast_within} only: \
         `Game::detail` must say `fast_within` of at least the reach"
    )]
    Reach {
        /// The first such kind.
        kind: String,
        /// What the game says of the kind.
        fast_within: f32,
        /// What it says of its weapons.
        reach: f32,
    },
}

/// Whether a room of this game can begin.
///
/// # Errors
/// [`GameError`] when it cannot.
pub fn check_game<G: Game>(game: &G) -> Result<(), GameError> {
    use tickwire_shared::KindId;
    let schema = G::Protocol::schema();
    schema.check()?;
    let Some(reach) = game.weapon_reach() else { return Ok(()) };
    for (kind, schema) in (0..).map(KindId).zip(&schema.kinds) {
        let Detail { fast_within, .. } = game.detail(kind);
        // Also where one of them is not a number.
        if fast_within.partial_cmp(&reach).is_none_or(std::cmp::Ordering::is_lt) {
            return Err(GameError::Reach { kind: schema.name.clone(), fast_within, reach });
        }
    }
    Ok(())
}

/// What looking back needs between ticks.
#[derive(Debug, Default)]
pub(super) struct Hindsight {
    /// How far, in 256ths of a tick; 0 is not at all.
    parts_max: u64,
    /// What was shown to those whose inputs aim at this tick, by id.
    pub(super) views: Vec<(ClientId, ViewTick)>,
    /// By row, how the client at hand was told of it.
    marks: Vec<Mark>,
    /// Of the client at hand.
    stamp: u32,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    stamp: u32,
    id: NetId,
    telling: Option<Telling>,
}

impl Hindsight {
    pub(super) fn new<G: Game>(game: &G, config: &RoomConfig) -> Self {
        let micros =
            if game.weapon_reach().is_some() { config.rewind_micros.min(REWIND_MICROS_MAX) } else { 0 };
        Self { parts_max: micros * u64::from(config.tick_hz) * 256 / 1_000_000, ..Self::default() }
    }

    /// How many ticks are looked back at most, begun ones included.
    pub(super) fn ticks(&self) -> u32 {
        self.parts_max.div_ceil(256) as u32
    }

    /// Before the step of `tick`; the capture shows the one before.
    pub(super) fn look_back<'a, P: Protocol>(
        &'a mut self,
        tick: u64,
        clients: &'a Clients<P>,
        capture: &'a Capture,
        counts: &'a mut Rewinds,
    ) -> Option<LookBack<'a, P>> {
        let (newest, oldest) = (capture.tick() * 256, (tick * 256).saturating_sub(self.parts_max));
        let seen = Seen { asked: newest, at: None };
        (self.parts_max > 0).then_some(LookBack {
            hindsight: self,
            clients,
            capture,
            counts,
            tick,
            oldest,
            newest,
            seen,
        })
    }

    fn mark(&mut self, packed: &Packed, tick: u64, rows: usize) {
        let nothing = Mark { stamp: 0, id: NetId(0), telling: None };
        self.marks.resize(rows.max(self.marks.len()), nothing);
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.marks.fill(nothing);
            self.stamp = 1;
        }
        let Self { marks, stamp, .. } = self;
        packed.shown_at(tick, |row, id, telling| marks[row as usize] = Mark { stamp: *stamp, id, telling });
    }

    fn telling(&self, row: u32, id: NetId) -> Option<Telling> {
        let mark = self.marks.get(row as usize)?;
        mark.telling.filter(|_| mark.stamp == self.stamp && mark.id == id)
    }
}

/// The past, lent for one call into the game. Moments are in 256ths of a tick from the start.
pub(super) struct LookBack<'a, P: Protocol> {
    hindsight: &'a mut Hindsight,
    clients: &'a Clients<P>,
    capture: &'a Capture,
    counts: &'a mut Rewinds,
    tick: u64,
    oldest: u64,
    newest: u64,
    seen: Seen,
}

/// What the client at hand was shown.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The moment as the client said it.
    asked: u64,
    /// The moment that it is judged by; `None` is the present.
    at: Option<u64>,
}

impl<P: Protocol> Past for LookBack<'_, P> {
    fn turn_to(&mut self, client: ClientId) -> bool {
        let Some(known) = self.clients.get(&client) else { return false };
        let place = self.hindsight.views.binary_search_by_key(&client, |(id, _)| *id);
        let view = place.ok().map(|place| self.hindsight.views[place].1);
        self.seen = self.judge(view);
        let at = self.seen.at.map(|at| at.max(known.packed.shown_from() * 256));
        if self.seen.at.is_some() {
            self.seen.at = at;
        }
        let tick = at.unwrap_or(self.newest) / 256;
        self.hindsight.mark(&known.packed, tick, self.capture.rows().len());
        true
    }

    fn shown(&mut self, entity: EntityKey, columns: &mut [i32]) -> Shown {
        let Some(row) = self.capture.row_of(entity) else { return Shown::Never };
        let id = self.capture.row(row).id;
        let Some(telling) = self.hindsight.telling(row, id) else {
            self.counts.targets_unseen += 1;
            return Shown::Never;
        };
        let Some(at) = self.seen.at else { return Shown::Now };
        let moment = self.moment_of(telling, id, at);
        self.capture.state_at(row, telling.tier, moment, columns);
        Shown::Then
    }
}

impl<P: Protocol> LookBack<'_, P> {
    /// Bounds what a client says that it was shown.
    fn judge(&mut self, view: Option<ViewTick>) -> Seen {
        let Some(view) = view else {
            self.counts.unaimed += 1;
            return Seen { asked: self.newest, at: None };
        };
        let asked = (self.tick * 256).saturating_add_signed(view.since(Tick(self.tick as u32)));
        let count = if asked > self.newest {
            &mut self.counts.future
        } else if asked < self.oldest {
            &mut self.counts.capped
        } else {
            &mut self.counts.within
        };
        *count += 1;
        // A room that looks back for less than a tick does not look back.
        let at = (self.oldest <= self.newest).then(|| asked.clamp(self.oldest, self.newest));
        Seen { asked, at }
    }

    /// What is told of less often is shown later.
    fn moment_of(&mut self, telling: Telling, id: NetId, at: u64) -> u64 {
        let cadences = self.capture.schedule().cadences();
        let mut asked = self.seen.asked.min(at).saturating_sub(later_ticks(cadences, telling.tier) * 256);
        if telling.parked_at != 0 {
            let held = cadences.last_due(telling.tier, id, Tick(telling.parked_at));
            let ago = u64::try_from(Tick(self.tick as u32).since(held)).unwrap_or(0);
            asked = asked.min(self.tick.saturating_sub(ago) * 256);
        }
        if asked < self.oldest && self.seen.asked >= self.oldest {
            self.counts.targets_capped += 1;
        }
        asked.clamp(self.oldest, self.newest)
    }
}

/// By how many ticks what is told of at a tier is shown later than what is told of at every frame.
fn later_ticks(cadences: &Cadences, tier: Tier) -> u64 {
    u64::from(cadences.period(tier) - cadences.period(Tier::FAST))
}
