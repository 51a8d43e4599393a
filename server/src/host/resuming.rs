//! What becomes of a session whose connection is gone: it is held for a while, its avatar shown as away, and whoever
//! comes back with its token goes on where it was. Runs when connections come and go and once per tick; knows tokens,
//! and neither sockets nor how they were cut.
//!
//! Only a session whose client has shown that it has a token is held, and none is when a newcomer needs its place.

use tickwire_shared::wire::message::{Hello, Resume, ResumeToken};
use tickwire_shared::{ClientId, Close, CloseCode, Micros};

use super::client::Client;
use super::recording::Call;
use super::room::Room;
use crate::session::{AckWindow, Claim, Key};
use crate::simulation::Game;

/// A client that says nothing for this long is gone.
const SILENCE_MICROS_MAX: u64 = 10_000_000;
/// A client that stays paused for this long reads too slowly.
const TOO_SLOW_MICROS: u64 = 30_000_000;
/// No session is held for longer, however the room is configured: ticks on the wire have 16 bits and network ids rest for
/// 16,384 ticks, a minute at 240 Hz, of which a client may have spent half without being told anything.
const GRACE_MICROS_MAX: u64 = 30_000_000;

/// Whose a Hello is.
pub(super) enum Newcomer {
    /// Somebody new.
    Stranger,
    /// It was dealt with.
    Settled,
}

impl<G: Game> Room<G> {
    /// A Hello that asks to go on with an earlier session. A token that names none is no fault: the server may have been
    /// restarted, or the time may be over, and a session begins as for anybody.
    pub(super) fn welcome_back(
        &mut self,
        connection: ClientId,
        hello: &Hello,
        fresh: &Key,
        now: Micros,
    ) -> Newcomer {
        let Some(resume) = &hello.resume else { return Newcomer::Stranger };
        let words = match self.tenures.claim(&resume.token, fresh.subject.as_deref()) {
            Claim::Unknown => return Newcomer::Stranger,
            Claim::Outdated => "this resume token was followed by a newer one",
            Claim::Anothers => "this resume token is somebody else's",
            Claim::Good(session) => {
                self.resume(connection, session, hello, (resume, fresh.resume), now);
                return Newcomer::Settled;
            }
        };
        self.turn_away(connection, Close::because(CloseCode::NotAllowed, words));
        Newcomer::Settled
    }

    fn resume(
        &mut self,
        connection: ClientId,
        session: ClientId,
        hello: &Hello,
        (resume, fresh): (&Resume, ResumeToken),
        now: Micros,
    ) {
        let Self { clients, shards, capture, counters, outputs, tenures, .. } = self;
        let Some(client) = clients.get_mut(&session) else { return };
        let was_away = client.away_since.take().is_some();
        if !was_away {
            *counters.closes.entry(CloseCode::Replaced).or_default() += 1;
            outputs.close(session, CloseCode::Replaced.into());
        }
        counters.resumes += 1;
        counters.resumes_anew +=
            u64::from(!shards[0].packer.rewind(&mut client.packed, resume.applied, capture));
        client.come_back(now);
        let token = tenures.renew(&resume.token, &fresh);
        outputs.resumed(session, connection);
        if was_away {
            self.note(|tick| Call::Away { tick, client: session, away: false });
        }
        if was_away && self.with_game(|game, stage| game.away(stage, session, false)).is_none() {
            return;
        }
        self.welcome(session, hello, token, now);
    }

    /// The connection is gone and the client has not said that it wants to be.
    pub(super) fn lose(&mut self, id: ClientId, now: Micros) {
        let Some(client) = self.clients.get_mut(&id) else { return };
        if client.away_since.is_some() {
            return;
        }
        if self.config.grace_micros == 0 || !self.tenures.can_return(id) {
            return self.remove(id);
        }
        (client.away_since, client.writable) = (Some(now), false);
        self.counters.held += 1;
        self.note(|tick| Call::Away { tick, client: id, away: true });
        self.with_game(|game, stage| game.away(stage, id, true));
    }

    /// Closes those of whom nothing has been heard, or who do not read, and lets go of those who did not come back.
    pub(super) fn close_the_lost(&mut self, now: Micros) {
        let grace = self.config.grace_micros.min(GRACE_MICROS_MAX);
        let found: Vec<_> =
            self.clients.iter().filter_map(|(id, client)| Some((*id, lost(client, grace, now)?))).collect();
        for (id, how) in found {
            match how {
                Lost::Silent => {
                    let detail = "no acknowledgement or input for 10 s";
                    *self.counters.closes.entry(CloseCode::Deadline).or_default() += 1;
                    self.outputs.close(id, Close::because(CloseCode::Deadline, detail));
                    self.lose(id, now);
                }
                Lost::TooSlow => self.close(id, CloseCode::TooSlow.into()),
                Lost::Over => {
                    self.counters.grace_over += 1;
                    self.remove(id);
                }
            }
        }
    }

    /// Whether there is a place for one more. Whoever has been away for the longest gives its place away.
    pub(super) fn has_room(&mut self) -> bool {
        if self.clients.len() < self.config.capacity {
            return true;
        }
        let away = self.clients.iter().filter_map(|(id, client)| Some((client.away_since?, *id)));
        let Some((_, id)) = away.min() else { return false };
        self.counters.grace_over += 1;
        self.remove(id);
        true
    }
}

/// How a client is lost.
enum Lost {
    Silent,
    TooSlow,
    /// It was away and has not come back in time.
    Over,
}

fn lost<P: tickwire_shared::Protocol>(client: &Client<P>, grace_micros: u64, now: Micros) -> Option<Lost> {
    if let Some(since) = client.away_since {
        return (now.since(since) >= grace_micros).then_some(Lost::Over);
    }
    if now.since(client.heard_at) > SILENCE_MICROS_MAX {
        return Some(Lost::Silent);
    }
    client.paused_since.is_some_and(|since| now.since(since) > TOO_SLOW_MICROS).then_some(Lost::TooSlow)
}

impl<P: tickwire_shared::Protocol> Client<P> {
    /// Over another connection, on which nothing is in flight. What is known of the old one's bandwidth stays.
    fn come_back(&mut self, now: Micros) {
        self.window = AckWindow::default();
        self.writable = true;
        self.paused_since = None;
        (self.heard_at, self.sent_at) = (now, now);
        // The first frame says whether both ends mean the same.
        self.checksum_at = 0;
    }
}
