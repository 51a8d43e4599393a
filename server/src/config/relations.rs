//! What makes sense alone and does not together: rates against the tick, budgets against what they must let through.

use super::{Config, ConfigError, refuse};

/// What a client sends with one tick, framing included, at most: the arena's largest input takes less.
const INPUT_BYTES: usize = 40;
/// Seconds from one frame to the next that a client is made to wait at most, and for its farthest entities.
const FRAME_EVERY_S_MAX: u16 = 1;
const SLOWEST_EVERY_S_MAX: u16 = 10;
/// What a frame needs to tell anything besides that it came.
const FRAME_BYTES_MIN: usize = 32;

impl Config {
    pub(super) fn validate_relations(&self) -> Result<(), ConfigError> {
        let tick_hz = self.tick_hz;
        let [first, .., slowest] = self.replication.cadence_ticks;
        for (ticks, every_s_max) in [(first, FRAME_EVERY_S_MAX), (slowest, SLOWEST_EVERY_S_MAX)] {
            if u16::from(ticks) > every_s_max * tick_hz {
                let allowed = format!(
                    "{ticks} ticks at tick_hz = {tick_hz} are more than {every_s_max} s: \
                     raise tick_hz, or lower the cadence to {} at most",
                    every_s_max * tick_hz
                );
                let cadences = format!("{:?}", self.replication.cadence_ticks);
                return Err(refuse("replication.cadence_ticks", cadences, &allowed));
            }
        }
        let frames_per_s = usize::from((tick_hz / u16::from(first)).max(1));
        let budget_min = FRAME_BYTES_MIN * frames_per_s;
        let budget = self.replication.budget_bytes_per_s;
        if budget < budget_min {
            let allowed = format!(
                "{frames_per_s} frames a second need {budget_min} B/s at least: \
                 raise it, or the first of replication.cadence_ticks, or lower tick_hz"
            );
            return Err(refuse("replication.budget_bytes_per_s", format!("{budget}B"), &allowed));
        }
        let recording = &self.recording;
        if recording.room_bytes_max > recording.dir_bytes_max {
            let allowed = format!(
                "one room's files would not fit into recording.dir_bytes_max = {}B",
                recording.dir_bytes_max
            );
            return Err(refuse(
                "recording.room_bytes_max",
                format!("{}B", recording.room_bytes_max),
                &allowed,
            ));
        }
        let limits = &self.limits;
        if limits.frames_per_s != 0 && limits.frames_per_s < u32::from(tick_hz) {
            let allowed =
                format!("a client sends a frame per tick: it must be 0 or at least tick_hz = {tick_hz}");
            return Err(refuse("limits.frames_per_s", limits.frames_per_s, &allowed));
        }
        let bytes_min = INPUT_BYTES * usize::from(tick_hz);
        if limits.bytes_per_s < bytes_min {
            let allowed = format!("a client at tick_hz = {tick_hz} sends up to {bytes_min} B in a second");
            return Err(refuse("limits.bytes_per_s", format!("{}B", limits.bytes_per_s), &allowed));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_go_together_is_named_with_both_sides() {
        let words = |text: &str| {
            let config = toml::from_str::<Config>(text).expect("a configuration");
            config.validate().map_err(|error| error.to_string())
        };
        for (text, parts) in [
            (
                "tick_hz = 1\nreplication.cadence_ticks = [2, 4, 6]",
                ["replication.cadence_ticks = [2, 4, 6]", "1 s"],
            ),
            ("tick_hz = 1\nreplication.cadence_ticks = [1, 3, 12]", ["replication.cadence_ticks", "10 s"]),
            ("tick_hz = 60\nlimits.frames_per_s = 59", ["limits.frames_per_s = 59", "tick_hz = 60"]),
            ("tick_hz = 240\nlimits.bytes_per_s = '8KiB'", ["limits.bytes_per_s = 8192B", "9600 B"]),
            (
                "replication.budget_bytes_per_s = '300KiB'",
                ["replication.budget_bytes_per_s = 307200", "262144"],
            ),
            (
                "tick_hz = 240\nreplication.budget_bytes_per_s = '4KiB'",
                ["replication.budget_bytes_per_s = 4096B", "7680"],
            ),
            (
                "recording.room_bytes_max = '16MiB'\nrecording.dir_bytes_max = '8MiB'",
                ["recording.room_bytes_max", "recording.dir_bytes_max"],
            ),
        ] {
            let said = words(text).expect_err(text);
            parts.iter().for_each(|part| assert!(said.contains(part), "{text}: {said}"));
        }
        words("tick_hz = 1").expect("slow, but fine");
        words("tick_hz = 60\nlimits.frames_per_s = 60").expect("just enough");
        words("tick_hz = 240").expect("fast");
    }
}
