//! The probes as a picture: how long ticks take and how old states are, by clients; hollow where something broke.

use std::fmt::Write;

use super::probe::Probe;
use super::verdict::Limits;

/// Size of the picture, and of what is around the lines.
const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 50.0;
const BOTTOM: f64 = 50.0;
/// Lines of the grid, about.
const GRID: f64 = 6.0;

/// One line: its name, colour, and value.
type Curve = (&'static str, &'static str, fn(&Probe) -> f64);

const CURVES: [Curve; 5] = [
    ("tick p99", "#c2410c", |probe| probe.measured.tick_ms.whole.p99),
    ("tick p50", "#f59e0b", |probe| probe.measured.tick_ms.whole.p50),
    ("hear + step p99", "#2563eb", |probe| probe.measured.tick_ms.simulated.p99),
    ("pack p99", "#7c3aed", |probe| probe.measured.tick_ms.stages[2].p99),
    ("send p99", "#059669", |probe| probe.measured.tick_ms.stages[3].p99),
];

/// Where values lie in the picture.
struct Axes {
    clients: f64,
    ms: f64,
}

impl Axes {
    fn x(&self, clients: f64) -> f64 {
        LEFT + clients / self.clients * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, ms: f64) -> f64 {
        HEIGHT - BOTTOM - (ms / self.ms).min(1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// As SVG.
pub(super) fn draw(probes: &[Probe], limits: &Limits, conditions: &str) -> String {
    let mut probes: Vec<_> = probes.iter().collect();
    probes.sort_by_key(|probe| probe.clients);
    let clients = probes.last().map_or(1, |probe| probe.clients) as f64;
    // What is far beyond the limit would flatten everything else.
    let most = probes.iter().map(|probe| probe.measured.tick_ms.whole.p99).fold(0.0, f64::max);
    let axes = Axes { clients, ms: most.clamp(limits.tick_p99_ms * 1.3, limits.tick_p99_ms * 3.0) };
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">Time per tick by clients, ms</text>\n\
         <text x=\"{LEFT}\" y=\"38\" fill=\"#666\">{}</text>\n",
        escaped(conditions)
    );
    grid(&mut svg, &axes);
    let limit = axes.y(limits.tick_p99_ms);
    // Writing to a string cannot fail, here and below.
    let _ = writeln!(
        svg,
        "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{limit:.1}\" y2=\"{limit:.1}\" stroke=\"#b91c1c\" stroke-dasharray=\"6 4\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\" fill=\"#b91c1c\">limit {} ms</text>",
        WIDTH - RIGHT,
        WIDTH - RIGHT + 6.0,
        limit + 4.0,
        limits.tick_p99_ms
    );
    for (place, (name, colour, value)) in CURVES.iter().enumerate() {
        let points: Vec<_> = probes
            .iter()
            .map(|probe| (axes.x(probe.clients as f64), axes.y(value(probe)), probe.is_fine()))
            .collect();
        let line: Vec<_> = points.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (x, y, fine) in points {
            let fill = if fine { colour } else { "white" };
            let _ = writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{fill}\" stroke=\"{colour}\"/>"
            );
        }
        let y = TOP + 20.0 * (place as f64 + 1.0);
        let x = WIDTH - RIGHT + 20.0;
        let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" fill=\"{colour}\">● {name}</text>");
    }
    svg.push_str("</svg>\n");
    svg
}

fn grid(svg: &mut String, axes: &Axes) {
    for clients in steps(axes.clients) {
        let x = axes.x(clients);
        let bottom = HEIGHT - BOTTOM;
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{bottom}\" stroke=\"#eee\"/>\
             <text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{clients}</text>",
            bottom + 18.0
        );
    }
    for ms in steps(axes.ms) {
        let y = axes.y(ms);
        let _ = writeln!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#eee\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{ms}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    let _ = writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" fill=\"#666\">clients; hollow: a limit was broken</text>",
        HEIGHT - 12.0
    );
}

/// Round numbers from 0 to `most`.
fn steps(most: f64) -> impl Iterator<Item = f64> {
    let rough = (most / GRID).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    (0..).map(move |count| f64::from(count) * step).take_while(move |value| *value <= most)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_numbers_make_the_grid() {
        assert_eq!(steps(13.0).collect::<Vec<_>>(), [0.0, 5.0, 10.0]);
        assert_eq!(steps(1500.0).collect::<Vec<_>>(), [0.0, 500.0, 1000.0, 1500.0]);
        assert_eq!(escaped("a<b&c"), "a&lt;b&amp;c");
    }
}
