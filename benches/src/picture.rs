//! The gaps as a picture: a bar for each fault on a logarithmic scale, with every run and the target.

use crate::gaps::Gaps;
use crate::numbers::shown;
use crate::report::Measured;
use std::fmt::Write;

const WIDTH: f64 = 960.0;
/// The titles' column.
const LEFT: f64 = 300.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 92.0;
const ROW: f64 = 54.0;
const BOTTOM: f64 = 70.0;
const BAR: f64 = 18.0;
/// The scale, milliseconds.
const FROM_MS: f64 = 1.0;
const TO_MS: f64 = 10_000.0;

const INK: &str = "#1b2733";
const FAINT: &str = "#6b7885";
const GRID: &str = "#e3e8ed";
const MET: &str = "#1f9d8b";
const MISSED: &str = "#e08a1e";
const TARGET: &str = "#c0392b";

/// The picture as SVG.
pub(crate) fn svg(measured: &Measured) -> String {
    let rows = measured.gaps.len();
    let height = TOP + ROW * rows as f64 + BOTTOM;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, 'Segoe UI', Helvetica, Arial, sans-serif" role="img" aria-label="How long clients wait">
<rect width="{WIDTH}" height="{height}" rx="10" fill="#ffffff"/>
<text x="28" y="40" font-size="20" font-weight="600" fill="{INK}">How long clients wait</text>
<text x="28" y="62" font-size="13" fill="{FAINT}">from the last OK before to the first OK of the next primary; MySQL {version}, three nodes, {runs} runs each</text>
"##,
        version = escaped(&measured.version),
        runs = measured.runs,
    );
    grid(&mut svg, height);
    for (place, gap) in measured.gaps.iter().enumerate() {
        row(&mut svg, gap, TOP + ROW * (place as f64 + 0.5));
    }
    legend(&mut svg, height - 20.0);
    svg.push_str("</svg>\n");
    svg
}

/// Where a number of milliseconds is on the scale.
fn x(ms: f64) -> f64 {
    let share = (ms.clamp(FROM_MS, TO_MS) / FROM_MS).log10() / (TO_MS / FROM_MS).log10();
    LEFT + share * (WIDTH - LEFT - RIGHT)
}

fn grid(svg: &mut String, height: f64) {
    let foot = height - BOTTOM + 6.0;
    for (ms, label) in
        [(1.0, "1 ms"), (10.0, "10 ms"), (100.0, "100 ms"), (1_000.0, "1 s"), (10_000.0, "10 s")]
    {
        let x = x(ms);
        let _ = writeln!(
            svg,
            r#"<line x1="{x:.1}" y1="{top}" x2="{x:.1}" y2="{foot}" stroke="{GRID}"/><text x="{x:.1}" y="{label_y}" font-size="12" fill="{FAINT}" text-anchor="middle">{label}</text>"#,
            top = TOP - 6.0,
            label_y = foot + 16.0,
        );
    }
}

fn row(svg: &mut String, gap: &Gaps, middle: f64) {
    let (target, _) = gap.fault.targets();
    let numbers = &gap.numbers;
    let median = numbers.median();
    let colour = if median <= target { MET } else { MISSED };
    let (top, from, to) = (middle - BAR / 2.0, x(FROM_MS), x(median));
    let (title, note) = gap.fault.title().split_once([',', '(']).unwrap_or((gap.fault.title(), ""));
    let second = if note.is_empty() { 4.0 } else { -3.0 };
    let _ = writeln!(
        svg,
        r#"<text x="{label}" y="{y:.1}" font-size="14" fill="{INK}" text-anchor="end">{title}</text>"#,
        label = LEFT - 16.0,
        y = middle + second,
        title = escaped(title.trim()),
    );
    if !note.is_empty() {
        let _ = writeln!(
            svg,
            r#"<text x="{label}" y="{y:.1}" font-size="12" fill="{FAINT}" text-anchor="end">{note}</text>"#,
            label = LEFT - 16.0,
            y = middle + 13.0,
            note = escaped(note.trim().trim_end_matches(')')),
        );
    }
    let _ = writeln!(
        svg,
        r#"<rect x="{from:.1}" y="{top:.1}" width="{width:.1}" height="{BAR}" rx="3" fill="{colour}" fill-opacity="0.85"/>"#,
        width = (to - from).max(1.0),
    );
    for value in numbers.values() {
        let _ = writeln!(
            svg,
            r#"<circle cx="{:.1}" cy="{middle:.1}" r="2.6" fill="{INK}" fill-opacity="0.55"/>"#,
            x(*value)
        );
    }
    let _ = writeln!(
        svg,
        r#"<line x1="{t:.1}" y1="{a:.1}" x2="{t:.1}" y2="{b:.1}" stroke="{TARGET}" stroke-width="2.5"/>"#,
        t = x(target),
        a = middle - BAR / 2.0 - 5.0,
        b = middle + BAR / 2.0 + 5.0,
    );
    let _ = writeln!(
        svg,
        r#"<text x="{number:.1}" y="{y:.1}" font-size="14" font-weight="600" fill="{INK}">{median}</text><text x="{number:.1}" y="{below:.1}" font-size="11" fill="{FAINT}">target {target}</text>"#,
        number = WIDTH - RIGHT + 14.0,
        y = middle + 1.0,
        below = middle + 16.0,
        median = shown(median),
        target = shown(target),
    );
}

fn legend(svg: &mut String, y: f64) {
    let text = |svg: &mut String, x: f64, words: &str| {
        let _ = write!(svg, r#"<text x="{x}" y="{y}" font-size="12" fill="{FAINT}">{words}</text>"#);
    };
    let swatch = |svg: &mut String, x: f64, colour: &str| {
        let _ = write!(
            svg,
            r#"<rect x="{x}" y="{top}" width="14" height="10" rx="2" fill="{colour}" fill-opacity="0.85"/>"#,
            top = y - 9.0
        );
    };
    swatch(svg, LEFT, MET);
    text(svg, LEFT + 20.0, "median, within its target");
    swatch(svg, LEFT + 180.0, MISSED);
    text(svg, LEFT + 200.0, "median, beyond it");
    let _ = write!(
        svg,
        r#"<circle cx="{dot}" cy="{middle}" r="2.6" fill="{INK}" fill-opacity="0.55"/><line x1="{line}" y1="{top}" x2="{line}" y2="{y}" stroke="{TARGET}" stroke-width="2.5"/>"#,
        dot = LEFT + 330.0,
        middle = y - 4.0,
        line = LEFT + 410.0,
        top = y - 12.0,
    );
    text(svg, LEFT + 340.0, "one run");
    text(svg, LEFT + 418.0, "target");
    svg.push('\n');
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gaps::Fault;
    use crate::numbers::Numbers;
    use crate::phases::Phases;

    #[test]
    fn the_scale_is_logarithmic_and_the_picture_is_well_formed() {
        assert!((x(FROM_MS) - LEFT).abs() < 1e-9);
        assert!((x(10.0) - x(1.0) - (x(1_000.0) - x(100.0))).abs() < 1e-9);
        let gap = |fault| Gaps {
            fault,
            numbers: Numbers::new(vec![9.0, 11.0, 30.0]),
            acknowledged: 1,
            violations: Vec::new(),
            phases: Phases::default(),
        };
        let measured = Measured {
            gaps: Fault::ALL.map(gap).into(),
            rejoin: None,
            idle: None,
            latency: None,
            version: "9.7.4".to_owned(),
            runs: 3,
            load: "0".to_owned(),
        };
        let svg = svg(&measured);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<circle").count(), 3 * Fault::ALL.len() + 1);
        assert!(!svg.contains("NaN"));
        if let Some(path) = std::env::var_os("BENCH_SAMPLE") {
            std::fs::write(path, svg).expect("sample");
        }
    }
}
