//! What a player may switch while playing: which part of the netcode is used, what of it is drawn, and how bad the link is.
//! Plain values, one table of words; the panel shows them and the session obeys them.

use tickwire_shared::client::Smoothing;

use crate::link::{LinkProfile, Stall};

/// All of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controls {
    /// One switch for each of [`Toggle::ALL`].
    switches: [bool; Toggle::ALL.len()],
    /// The link that is played over.
    pub link: LinkControls,
}

impl Default for Controls {
    fn default() -> Self {
        Self { switches: Toggle::ALL.map(Toggle::at_first), link: LinkControls::default() }
    }
}

impl Controls {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self, toggle: Toggle) -> bool {
        self.switches[toggle as usize]
    }

    /// The switch itself.
    pub fn switch(&mut self, toggle: Toggle) -> &mut bool {
        &mut self.switches[toggle as usize]
    }

    /// What the session is told.
    #[must_use]
    pub fn smoothing(&self) -> Smoothing {
        Smoothing {
            prediction: self.is_on(Toggle::Prediction),
            reconciliation: self.is_on(Toggle::Reconciliation),
            interpolation: self.is_on(Toggle::Interpolation),
        }
    }
}

/// What can be switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggle {
    /// Own avatar ahead of the server.
    Prediction,
    /// Predictions follow what the server says.
    Reconciliation,
    /// Others between two told states.
    Interpolation,
    /// The raw last states beside what is shown.
    Ghosts,
    /// How far anything is told of.
    InterestRadius,
    /// Colours by how often something is told of.
    CadenceColours,
}

impl Toggle {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 6] = [
        Self::Prediction,
        Self::Reconciliation,
        Self::Interpolation,
        Self::Ghosts,
        Self::InterestRadius,
        Self::CadenceColours,
    ];

    /// What stands beside the box.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Prediction => "Prediction",
            Self::Reconciliation => "Reconciliation",
            Self::Interpolation => "Interpolation",
            Self::Ghosts => "Server ghosts",
            Self::InterestRadius => "Interest radius",
            Self::CadenceColours => "Cadence colours",
        }
    }

    /// One line that says why it exists.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Prediction => "You move at once; off: only after a round trip.",
            Self::Reconciliation => "The server corrects you; off: you drift when hit.",
            Self::Interpolation => "Others glide between states; off: they jump.",
            Self::Ghosts => "Rings where the server last said everybody is.",
            Self::InterestRadius => "A circle around all that you were told of lately.",
            Self::CadenceColours => "Told often: blue, yellow, orange; waiting: grey.",
        }
    }

    /// The number key that flips it.
    #[must_use]
    pub fn digit(self) -> u8 {
        self as u8 + 1
    }

    fn at_first(self) -> bool {
        matches!(self, Self::Prediction | Self::Reconciliation | Self::Interpolation)
    }
}

/// A link in the units of its sliders, each way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkControls {
    /// Added to every message.
    pub delay_ms: u32,
    /// Added at random, up to this.
    pub jitter_ms: u32,
    /// What the link carries; 0 is no limit.
    pub rate_kbit: u32,
    /// Once every [`STALL_EVERY_MS`] nothing passes for so long.
    pub stall_ms: u32,
}

/// Largest values of the sliders.
pub const LINK_MAX: LinkControls =
    LinkControls { delay_ms: 500, jitter_ms: 200, rate_kbit: 10_000, stall_ms: 3_000 };
/// From one stall to the next.
pub const STALL_EVERY_MS: u32 = 10_000;

impl LinkControls {
    /// Links with a name, for one click each.
    pub const PRESETS: [(&'static str, Self); 4] = [
        ("as it is", Self { delay_ms: 0, jitter_ms: 0, rate_kbit: 0, stall_ms: 0 }),
        ("150 ms", Self { delay_ms: 75, jitter_ms: 0, rate_kbit: 0, stall_ms: 0 }),
        ("mobile", Self { delay_ms: 35, jitter_ms: 20, rate_kbit: 8_000, stall_ms: 0 }),
        ("bad", Self { delay_ms: 80, jitter_ms: 40, rate_kbit: 1_000, stall_ms: 2_000 }),
    ];

    /// For the transport.
    #[must_use]
    pub fn profile(&self) -> LinkProfile {
        let stall = Stall {
            length_micros: u64::from(self.stall_ms) * 1_000,
            period_micros: u64::from(STALL_EVERY_MS) * 1_000,
        };
        LinkProfile {
            delay_micros: u64::from(self.delay_ms) * 1_000,
            jitter_micros: u64::from(self.jitter_ms) * 1_000,
            rate_bits: (self.rate_kbit > 0).then(|| u64::from(self.rate_kbit) * 1_000),
            stall: (self.stall_ms > 0).then_some(stall),
        }
    }

    /// The next preset after this one; the first after what is none.
    #[must_use]
    pub fn next_preset(&self) -> Self {
        let at = Self::PRESETS.iter().position(|(_, preset)| preset == self);
        let next = at.map_or(0, |at| (at + 1) % Self::PRESETS.len());
        Self::PRESETS[next].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_gets_the_whole_art_over_the_link_as_it_is() {
        let mut controls = Controls::default();
        assert_eq!(controls.smoothing(), Smoothing::default());
        assert_eq!(controls.link.profile(), LinkProfile::default());
        *controls.switch(Toggle::Prediction) = false;
        assert!(!controls.smoothing().prediction && controls.smoothing().interpolation);
        for (index, toggle) in Toggle::ALL.into_iter().enumerate() {
            assert_eq!(toggle as usize, index);
        }
    }

    #[test]
    fn presets_go_round() {
        let mut link = LinkControls { delay_ms: 3, ..LinkControls::default() };
        let names: Vec<_> = (0..5)
            .map(|_| {
                link = link.next_preset();
                LinkControls::PRESETS.iter().position(|(_, preset)| *preset == link)
            })
            .collect();
        assert_eq!(names, [0, 1, 2, 3, 0].map(Some));
        assert_eq!(LinkControls::PRESETS[1].1.profile().delay_micros, 75_000);
    }
}
