//! What a room does less of while it has more to do than time. Whoever runs it decides when, since a room knows no clock;
//! nothing here changes what the game is given, so recordings and replays know nothing of it.

use tickwire_shared::wire::message::{Percent, TimeDilation, encode_time_dilation};
use tickwire_shared::{ClientId, Close, CloseCode, KindId, Tick};

use super::client::Client;
use super::room::Room;
use crate::simulation::{Detail, Game, Interest};
use crate::snapshot::Sight;

/// Of the radius of a kind, or of the game's own distances: what is nearer is told of at the first cadence, and at the second.
const FAST_SHARE: f32 = 0.5;
const MEDIUM_SHARE: f32 = 0.75;

/// What is done less of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relief {
    /// Whether what is far away is told of less often than the game says.
    pub slows_far: bool,
    /// Nobody new is let in, and is told to come again after so many milliseconds; who comes back is.
    pub joins_retry_after_ms: Option<u32>,
    /// How many ticks there are of those that the tick rate says.
    pub pace: Percent,
}

impl Default for Relief {
    fn default() -> Self {
        Self { slows_far: false, joins_retry_after_ms: None, pace: Percent::FULL }
    }
}

impl Relief {
    /// How a kind is told of.
    pub(super) fn sight<G: Game>(&self, game: &G, kind: KindId) -> Sight {
        let sight = Sight { interest: game.interest(kind), detail: game.detail(kind) };
        if self.slows_far { slower(sight, game.weapon_reach()) } else { sight }
    }

    /// The close for somebody new, while nobody is let in.
    pub(super) fn refusal(&self) -> Option<Close> {
        Some(Close::retry_after(CloseCode::Full, self.joins_retry_after_ms?))
    }
}

/// What is far away less often, where the game says `sight`. What a weapon reaches stays at the first cadence.
fn slower(sight: Sight, weapon_reach: Option<f32>) -> Sight {
    let radius = match sight.interest {
        Interest::Radius { enter, .. } => enter,
        Interest::Everything => f32::INFINITY,
    };
    let Detail { fast_within, medium_within } = sight.detail;
    let fast = (fast_within.min(radius) * FAST_SHARE).max(weapon_reach.unwrap_or(0.0)).min(fast_within);
    let medium = (medium_within.min(radius) * MEDIUM_SHARE).max(fast);
    Sight { detail: Detail { fast_within: fast, medium_within: medium }, ..sight }
}

impl<G: Game> Room<G> {
    /// From now on.
    pub(super) fn relieve(&mut self, relief: Relief) {
        self.relief = relief;
        let ids: Vec<_> = self.clients.keys().copied().collect();
        ids.into_iter().for_each(|id| self.tell_pace(id));
    }

    /// At which pace time goes, unless this client knows. Who is away is told when it comes back.
    pub(super) fn tell_pace(&mut self, id: ClientId) {
        let percent = self.relief.pace;
        let is_told =
            |client: &Client<G::Protocol>| client.told_pace == percent || client.away_since.is_some();
        let Some(client) = self.clients.get_mut(&id).filter(|client| !is_told(client)) else { return };
        client.told_pace = percent;
        let message = encode_time_dilation(&TimeDilation { from: Tick(self.tick as u32), percent });
        self.send(id, &message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relieved(
        interest: Interest,
        (fast_within, medium_within): (f32, f32),
        reach: Option<f32>,
    ) -> (f32, f32) {
        let detail = Detail { fast_within, medium_within };
        let Detail { fast_within, medium_within } = slower(Sight { interest, detail }, reach).detail;
        (fast_within, medium_within)
    }

    #[test]
    fn what_is_far_is_told_of_less_often_but_not_what_is_aimed_at() {
        let all = (f32::INFINITY, f32::INFINITY);
        let radius = Interest::Radius { enter: 100.0, leave: 120.0 };
        assert_eq!(relieved(radius, all, None), (50.0, 75.0));
        assert_eq!(relieved(radius, (30.0, 60.0), None), (15.0, 45.0));
        assert_eq!(relieved(radius, all, Some(80.0)), (80.0, 80.0));
        assert_eq!(relieved(radius, (60.0, 200.0), Some(60.0)), (60.0, 75.0));
        assert_eq!(relieved(Interest::Everything, (40.0, 80.0), None), (20.0, 60.0));
        assert_eq!(relieved(Interest::Everything, all, None), all, "the game has said that nothing is far");
    }
}
