//! What a link is like, from what a user writes: a name, or `delay=80ms,jitter=20ms,rate=1Mbit,stall=2s/30s`.

use std::str::FromStr;
use std::time::Duration;

/// One direction of a link. Both directions of a connection have the same profile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkProfile {
    /// Every message is at least this late.
    pub delay_micros: u64,
    /// And up to this much later, evenly distributed.
    pub jitter_micros: u64,
    /// Bits per second that the wire carries; `None` is no cap.
    pub rate_bits: Option<u64>,
    /// Times in which nothing arrives.
    pub stall: Option<Stall>,
}

/// Nothing arrives for a while, then everything at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stall {
    /// How long.
    pub length_micros: u64,
    /// From the beginning of one to the beginning of the next.
    pub period_micros: u64,
}

/// Why a profile cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// Neither a name nor `key=value`.
    #[error(
        "`{0}` is no link profile; use lan, wifi, mobile, bad or delay=80ms,jitter=20ms,rate=1Mbit,stall=2s/30s"
    )]
    Unknown(String),
    /// Not a duration.
    #[error("`{0}` is no duration; write 80ms, 500us or 2s (at most 1000s)")]
    Duration(String),
    /// Not a rate.
    #[error("`{0}` is no rate; write 400kbit, 1Mbit or 1Gbit")]
    Rate(String),
    /// Not a stall.
    #[error("`{0}` is no stall; write 2s/30s: how long, and how often, the first shorter than the second")]
    Stall(String),
}

const MILLIS: u64 = 1_000;
const SECONDS: u64 = 1_000_000;
const MEGABIT: u64 = 1_000_000;
/// Longest duration in a profile.
const DURATION_MICROS_MAX: u64 = 1_000 * SECONDS;

impl FromStr for LinkProfile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        let named = |delay: u64, jitter: u64, rate: u64| Self {
            delay_micros: delay * MILLIS,
            jitter_micros: jitter * MILLIS,
            rate_bits: Some(rate * MEGABIT),
            stall: None,
        };
        match text {
            "lan" => Ok(named(0, 1, 1000)),
            "wifi" => Ok(named(3, 5, 50)),
            "mobile" => Ok(named(35, 20, 8)),
            "bad" => {
                let stall = Stall { length_micros: 2 * SECONDS, period_micros: 30 * SECONDS };
                Ok(Self { stall: Some(stall), ..named(80, 40, 1) })
            }
            _ => Self::from_pairs(text),
        }
    }
}

impl LinkProfile {
    /// How long a small message on a free wire takes at most.
    #[must_use]
    pub fn latency_max(&self) -> Duration {
        let stall_micros = self.stall.map_or(0, |stall| stall.length_micros);
        Duration::from_micros(self.delay_micros + self.jitter_micros + stall_micros)
    }

    fn from_pairs(text: &str) -> Result<Self, ProfileError> {
        let mut profile = Self::default();
        for pair in text.split(',') {
            match pair.split_once('=') {
                Some(("delay", value)) => profile.delay_micros = duration(value)?,
                Some(("jitter", value)) => profile.jitter_micros = duration(value)?,
                Some(("rate", value)) => profile.rate_bits = Some(rate(value)?),
                Some(("stall", value)) => profile.stall = Some(stall(value)?),
                _ => return Err(ProfileError::Unknown(text.to_owned())),
            }
        }
        Ok(profile)
    }
}

fn stall(text: &str) -> Result<Stall, ProfileError> {
    let malformed = || ProfileError::Stall(text.to_owned());
    let (length, period) = text.split_once('/').ok_or_else(malformed)?;
    let stall = Stall { length_micros: duration(length)?, period_micros: duration(period)? };
    if stall.length_micros < stall.period_micros { Ok(stall) } else { Err(malformed()) }
}

fn duration(text: &str) -> Result<u64, ProfileError> {
    let units = [("us", 1), ("ms", MILLIS), ("s", SECONDS)];
    scaled(text, &units)
        .filter(|micros| *micros <= DURATION_MICROS_MAX)
        .ok_or_else(|| ProfileError::Duration(text.to_owned()))
}

fn rate(text: &str) -> Result<u64, ProfileError> {
    let units = [("kbit", 1_000), ("Mbit", MEGABIT), ("Gbit", 1_000 * MEGABIT)];
    scaled(text, &units).filter(|bits| *bits > 0).ok_or_else(|| ProfileError::Rate(text.to_owned()))
}

/// A number with one of the units behind it; the first unit that fits counts.
fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (number, unit) = units.iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, *unit)))?;
    let number: f64 = number.parse().ok()?;
    let value = number * unit as f64;
    (value.is_finite() && value >= 0.0).then_some(value.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_pairs() {
        for name in ["lan", "wifi", "mobile", "bad"] {
            assert!(name.parse::<LinkProfile>().is_ok(), "{name}");
        }
        let profile = LinkProfile {
            delay_micros: 80_000,
            jitter_micros: 20_000,
            rate_bits: Some(1_000_000),
            stall: Some(Stall { length_micros: 2_000_000, period_micros: 30_000_000 }),
        };
        assert_eq!("delay=80ms,jitter=20ms,rate=1Mbit,stall=2s/30s".parse(), Ok(profile));
        let half = LinkProfile { delay_micros: 500, ..LinkProfile::default() };
        assert_eq!("delay=0.5ms".parse(), Ok(half));
        assert_eq!("delay=500us".parse(), Ok(half));
    }

    #[test]
    fn refused_with_a_sentence() {
        let refusal = |text: &str| text.parse::<LinkProfile>().expect_err("refused");
        assert_eq!(refusal("moon"), ProfileError::Unknown("moon".into()));
        assert_eq!(refusal("delay=80"), ProfileError::Duration("80".into()));
        assert_eq!(refusal("delay=-1s"), ProfileError::Duration("-1s".into()));
        assert_eq!(refusal("rate=0Mbit"), ProfileError::Rate("0Mbit".into()));
        assert_eq!(refusal("stall=3s/2s"), ProfileError::Stall("3s/2s".into()));
    }
}
