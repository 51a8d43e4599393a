//! Players that the server plays itself, so that a newcomer is not alone.

use glam::Vec2;
use serde::{Deserialize, Serialize};
use tickwire_shared::arena::{Arena, ArenaInput};

use super::combat::SHOT_REACH_M;
use super::game::{ArenaGame, Who};
use crate::simulation::Stage;

/// How long a bot keeps to a direction, in seconds.
const LEG_SECONDS: (f32, f32) = (0.4, 2.0);
/// How near a bot must see somebody to fire, as a share of the reach.
const EAGERNESS: f32 = 0.6;

/// What a bot is about.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct BotMind {
    walk: Vec2,
    leg_ticks: u32,
}

impl ArenaGame {
    /// What every bot wants in this tick.
    pub(super) fn think(&mut self, stage: &Stage<'_, Arena>) -> Vec<(Who, ArenaInput)> {
        let places: Vec<_> = self
            .players
            .iter()
            .filter(|(_, player)| player.is_target(stage.tick_seconds))
            .map(|(who, player)| (*who, player.motion.position))
            .collect();
        let bots: Vec<_> = (0..self.config().bots).map(Who::Bot).collect();
        bots.into_iter().filter_map(|who| Some((who, self.think_one(stage, who, &places)?))).collect()
    }

    fn think_one(
        &mut self,
        stage: &Stage<'_, Arena>,
        who: Who,
        places: &[(Who, Vec2)],
    ) -> Option<ArenaInput> {
        let Self { players, dice, .. } = self;
        let player = players.get_mut(&who)?;
        let position = player.motion.position;
        let bot = player.bot.as_mut()?;
        bot.leg_ticks = bot.leg_ticks.saturating_sub(1);
        if bot.leg_ticks == 0 {
            bot.leg_ticks = (dice.between(LEG_SECONDS.0, LEG_SECONDS.1) / stage.tick_seconds) as u32;
            bot.walk = dice.place(1.0);
        }
        let nearest = places
            .iter()
            .filter(|(other, _)| *other != who)
            .map(|(_, place)| *place - position)
            .min_by(|a, b| a.length_squared().total_cmp(&b.length_squared()));
        let target = nearest.filter(|offset| offset.length() < SHOT_REACH_M * EAGERNESS);
        let aim = target.map_or_else(|| bot.walk.to_angle(), |offset| offset.to_angle());
        // It hesitates: only now and then does it pull the trigger, and never quite straight.
        let fire = target.is_some() && dice.index(8) == 0;
        Some(ArenaInput::new(bot.walk, aim + dice.between(-0.06, 0.06), fire))
    }
}
