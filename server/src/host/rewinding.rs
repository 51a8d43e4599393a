//! Lag compensation: lends the game the past as each client was shown it. Runs while the game makes a step, for each shot
//! that it judges.
//!
//! A client says which moment it showed, and is believed within bounds: no moment that is not over yet, none longer ago
//! than the room is configured, and nothing that the client was not shown then. The ring that bridges pauses serves this too.

use tickwire_shared::schema::SchemaError;
use tickwire_shared::{ClientId, NetId, Protocol, Tick, ViewTick};

use super::clients::Clients;
use super::counters::Rewinds;
use super::room::RoomConfig;
use crate::simulation::{Detail, EntityKey, Game, Past, Shown};
use crate::snapshot::{Capture, Sights, Telling};

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
    /// What the client at hand was shown.
    sights: Sights,
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
        self.seen = self.judge(view, known.packed.known_from() * 256);
        let at = self.seen.at.unwrap_or(self.newest);
        let (rows, cadences) = (self.capture.rows().len(), self.capture.schedule().cadences());
        known.packed.shown_at(at, rows, cadences, &mut self.hindsight.sights);
        true
    }

    fn shown(&mut self, entity: EntityKey, columns: &mut [i32]) -> Shown {
        let Some(row) = self.capture.row_of(entity) else { return Shown::Never };
        let (id, cadences) = (self.capture.row(row).id, self.capture.schedule().cadences());
        let Some((telling, later)) = self.hindsight.sights.of(row, id, cadences) else {
            self.counts.targets_unseen += 1;
            return Shown::Never;
        };
        if self.seen.at.is_none() {
            return Shown::Now;
        }
        let moment = self.moment_of(telling, id, later);
        self.capture.state_at(row, telling.tier, moment, columns);
        Shown::Then
    }
}

impl<P: Protocol> LookBack<'_, P> {
    /// Bounds what a client says that it was shown.
    fn judge(&mut self, view: Option<ViewTick>, known_from: u64) -> Seen {
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
        let looks_back = self.oldest <= self.newest;
        let asked = asked.max(known_from);
        Seen { asked, at: looks_back.then(|| asked.clamp(self.oldest, self.newest)) }
    }

    /// When an entity was what it was shown as.
    fn moment_of(&mut self, telling: Telling, id: NetId, later: u64) -> u64 {
        let mut asked = self.seen.asked.min(self.newest).saturating_sub(later);
        if telling.parked_at != 0 {
            let cadences = self.capture.schedule().cadences();
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
