//! Colours. Those that tell players apart are Okabe and Ito's, which stay apart for people who see no red, no green or no
//! blue; whatever else a colour says, a shape, a length or a word says too.

use eframe::egui::Color32;

/// Players, by their index; their names say the same.
pub(super) const PLAYERS: [Color32; 8] = [
    Color32::from_rgb(230, 159, 0),
    Color32::from_rgb(86, 180, 233),
    Color32::from_rgb(0, 158, 115),
    Color32::from_rgb(240, 228, 66),
    Color32::from_rgb(52, 112, 200),
    Color32::from_rgb(213, 94, 0),
    Color32::from_rgb(204, 121, 167),
    Color32::from_rgb(187, 187, 187),
];
/// How often something is told of, the most often first; the last is what waits.
pub(super) const CADENCES: [Color32; 4] = [PLAYERS[1], PLAYERS[3], PLAYERS[5], GONE];

pub(super) const OUTSIDE: Color32 = Color32::from_rgb(10, 11, 14);
pub(super) const GROUND: Color32 = Color32::from_rgb(24, 27, 33);
pub(super) const GRID: Color32 = Color32::from_rgb(38, 42, 51);
pub(super) const OBSTACLE: Color32 = Color32::from_rgb(74, 82, 97);
pub(super) const OWN: Color32 = Color32::from_rgb(255, 255, 255);
pub(super) const DRONE: Color32 = Color32::from_rgb(150, 150, 160);
pub(super) const PICKUP: Color32 = PLAYERS[2];
pub(super) const GONE: Color32 = Color32::from_rgb(96, 96, 104);
pub(super) const MISS: Color32 = Color32::from_rgb(240, 228, 150);
pub(super) const HIT: Color32 = Color32::from_rgb(213, 94, 0);
pub(super) const GHOST: Color32 = Color32::from_rgb(204, 121, 167);
pub(super) const TEXT: Color32 = Color32::from_rgb(205, 210, 220);
pub(super) const HEALTHY: Color32 = PLAYERS[1];
pub(super) const WEAK: Color32 = PLAYERS[5];

#[cfg(test)]
mod tests {
    use super::*;

    /// What somebody sees who has no long, no middle or no short cones: Viénot and others 1999 for the first two, and for
    /// the third the projection that keeps luminance, in linear light.
    const EYES: [[[f32; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.112_38, 0.887_62, 0.0], [0.112_38, 0.887_62, 0.0], [0.004_01, -0.004_01, 1.0]],
        [[0.292_75, 0.707_25, 0.0], [0.292_75, 0.707_25, 0.0], [-0.022_34, 0.022_34, 1.0]],
        [[1.0, 0.144_61, -0.144_61], [0.0, 0.859_24, 0.140_76], [0.0, 0.859_24, 0.140_76]],
    ];

    fn seen(colour: Color32, eye: &[[f32; 3]; 3]) -> [f32; 3] {
        // The screen's curve is close enough to a square.
        let linear = |value: u8| f32::from(value) * f32::from(value);
        let [r, g, b] = [colour.r(), colour.g(), colour.b()].map(linear);
        eye.map(|row| (row[0] * r + row[1] * g + row[2] * b).clamp(0.0, 65_025.0).sqrt())
    }

    fn nearest_pair(colours: &[Color32], eye: &[[f32; 3]; 3]) -> f32 {
        let apart = |a: &Color32, b: &Color32| {
            let (a, b) = (seen(*a, eye), seen(*b, eye));
            a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt()
        };
        let pairs = colours.iter().enumerate().flat_map(|(at, a)| colours[..at].iter().map(move |b| (a, b)));
        pairs.map(|(a, b)| apart(a, b)).fold(f32::INFINITY, f32::min)
    }

    #[test]
    fn everybody_tells_players_and_cadences_apart() {
        for eye in &EYES {
            assert!(nearest_pair(&PLAYERS, eye) > 25.0, "{} for {eye:?}", nearest_pair(&PLAYERS, eye));
            assert!(nearest_pair(&CADENCES, eye) > 40.0, "{} for {eye:?}", nearest_pair(&CADENCES, eye));
        }
        let traffic_light = [Color32::from_rgb(200, 60, 40), Color32::from_rgb(110, 100, 40)];
        assert!(nearest_pair(&traffic_light, &EYES[2]) < 40.0, "this check can fail");
    }
}
