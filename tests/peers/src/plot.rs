//! Bars as SVG: a group for each workload, a bar for each peer, medians with a line from the least to the most. On a
//! logarithmic scale, since peers differ by orders of magnitude.

use std::fmt::Write;

use crate::plan::Peer;
use crate::results::Spread;

const BAR: f64 = 13.0;
const GAP: f64 = 30.0;
const LEFT: f64 = 190.0;
const WIDTH: f64 = 480.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 44.0;

/// A bar's owner and its length.
pub type Bar = (Peer, Spread);

/// A whole picture. Groups have a title and their bars.
#[must_use]
pub fn bars(title: &str, unit: &str, groups: &[(String, Vec<Bar>)]) -> String {
    let values =
        || groups.iter().flat_map(|(_, bars)| bars).flat_map(|(_, spread)| [spread.low, spread.high]);
    let low = values().filter(|value| *value > 0.0).fold(f64::MAX, f64::min).log10().floor();
    let high = values().fold(1.0, f64::max).log10().ceil().max(low + 1.0);
    let at = |value: f64| LEFT + (value.max(1e-9).log10() - low).max(0.0) / (high - low) * WIDTH;
    let rows: usize = groups.iter().map(|(_, bars)| bars.len()).sum();
    let height = TOP + rows as f64 * BAR + groups.len() as f64 * GAP + 26.0;
    let width = LEFT + WIDTH + RIGHT;
    let mut svg = String::new();
    let mut put = |line: std::fmt::Arguments<'_>| {
        let _ = svg.write_fmt(line);
        svg.push('\n');
    };
    put(format_args!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" font-family="sans-serif" font-size="11">"#
    ));
    put(format_args!(r##"<rect width="100%" height="100%" fill="#ffffff"/>"##));
    put(format_args!(r##"<text x="10" y="20" font-size="14" fill="#111111">{title}</text>"##));
    for power in low as i32..=high as i32 {
        let x = at(10_f64.powi(power));
        put(format_args!(
            r##"<path d="M{x:.1} {TOP}V{:.1}" stroke="#dddddd"/><text x="{x:.1}" y="{:.1}" text-anchor="middle" fill="#555555">{}</text>"##,
            height - 22.0,
            height - 8.0,
            number(10_f64.powi(power)),
        ));
    }
    put(format_args!(
        r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#555555">{unit}</text>"##,
        width - 8.0,
        height - 8.0
    ));
    let mut y = TOP;
    for (name, bars) in groups {
        y += GAP - 8.0;
        put(format_args!(
            r##"<text x="10" y="{:.1}" fill="#111111" font-weight="bold">{name}</text>"##,
            y - 5.0
        ));
        for (peer, Spread { low: least, median, high: most }) in bars {
            let (end, middle) = (at(*median), y + BAR / 2.0);
            let colour = if *peer == Peer::Tickwire { "#0b7285" } else { "#adb5bd" };
            put(format_args!(
                r##"<text x="{:.1}" y="{:.1}" text-anchor="end" fill="#111111">{}</text><rect x="{LEFT}" y="{:.1}" width="{:.1}" height="{:.1}" fill="{colour}"/><path d="M{:.1} {middle:.1}H{:.1}" stroke="#111111"/><text x="{:.1}" y="{:.1}" fill="#111111">{}</text>"##,
                LEFT - 6.0,
                middle + 4.0,
                peer.title(),
                y + 1.5,
                end - LEFT,
                BAR - 3.0,
                at(*least),
                at(*most),
                at(*most).max(end) + 5.0,
                middle + 4.0,
                number(*median),
            ));
            y += BAR;
        }
        y += 8.0;
    }
    put(format_args!("</svg>"));
    svg
}

/// With as many digits as say something, and commas.
#[must_use]
pub fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0..10.0 => format!("{value:.2}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        10.0..100.0 => format!("{value:.1}").trim_end_matches(".0").to_owned(),
        _ => format!("{value:.0}"),
    };
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) && digit.is_ascii_digit() {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    rest.map_or(grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_as_people_write_them() {
        let written = [0.75, 9.999, 12.0, 12.34, 999.6, 12_345.6, 1_234_567.0].map(number);
        assert_eq!(written, ["0.75", "10", "12", "12.3", "1,000", "12,346", "1,234,567"]);
    }
}
