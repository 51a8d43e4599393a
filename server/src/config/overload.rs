//! What a room may give up while it has more to do than time.

use serde::{Deserialize, Serialize};
use tickwire_shared::wire::message::Percent;

use super::{ConfigError, within};

/// The section `[overload]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OverloadSection {
    /// How far a room may go.
    pub last_step: OverloadStep,
    /// How slow time may go, in percent of the tick rate, where it may at all.
    pub slowest_percent: u8,
}

/// What is given up, each with everything before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverloadStep {
    /// Nothing.
    #[default]
    None,
    /// Ticks that are late are not made up for.
    NoCatchUp,
    /// What is far away is told of less often.
    SlowFar,
    /// A client's frames go out two at a time.
    HalfRate,
    /// Nobody new is let in.
    RefuseJoins,
    /// Time goes slower.
    DilateTime,
}

impl OverloadStep {
    /// All of them, the first given up first.
    pub const ALL: [Self; 6] =
        [Self::None, Self::NoCatchUp, Self::SlowFar, Self::HalfRate, Self::RefuseJoins, Self::DilateTime];

    /// As in the configuration, in metrics and in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::NoCatchUp => "no-catch-up",
            Self::SlowFar => "slow-far",
            Self::HalfRate => "half-rate",
            Self::RefuseJoins => "refuse-joins",
            Self::DilateTime => "dilate-time",
        }
    }

    /// Whether newcomers are sent away.
    #[must_use]
    pub fn refuses_joins(self) -> bool {
        self >= Self::RefuseJoins
    }

    /// The one that gives up more.
    #[must_use]
    pub fn above(self) -> Option<Self> {
        Self::ALL.get(self as usize + 1).copied()
    }

    /// The one that gives up less.
    #[must_use]
    pub fn below(self) -> Option<Self> {
        Self::ALL.get((self as usize).checked_sub(1)?).copied()
    }
}

impl Default for OverloadSection {
    fn default() -> Self {
        Self { last_step: OverloadStep::RefuseJoins, slowest_percent: 50 }
    }
}

impl OverloadSection {
    /// How slow time may go.
    #[must_use]
    pub fn slowest(&self) -> Percent {
        Percent::try_from(self.slowest_percent).unwrap_or(Percent::FULL)
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("overload.slowest_percent", self.slowest_percent, 10, 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_called_the_same_everywhere() {
        for step in OverloadStep::ALL {
            assert_eq!(toml::Value::try_from(step).expect("a word").as_str(), Some(step.name()));
            assert_eq!(step.above().map_or(Some(step), OverloadStep::below), Some(step));
        }
    }
}
