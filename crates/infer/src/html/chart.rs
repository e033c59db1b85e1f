//! Bar charts as SVG.

use std::fmt::Write;

use crate::html::escape;

/// A bar with its spread.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// The group that it stands in, such as `batch 8`.
    pub group: String,
    /// What it is of, such as an engine.
    pub label: String,
    /// Which colour, from 0; bars of the same label should have the same.
    pub colour: usize,
    /// How long it is.
    pub value: f64,
    /// The value that a line from the bar's end reaches to, if it is known.
    pub reach: Option<f64>,
    /// What is written beside it.
    pub text: String,
}

const WIDTH: f64 = 720.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 170.0;
const ROW: f64 = 26.0;
const GROUP: f64 = 24.0;
const COLOURS: usize = 6;

/// Horizontal bars in groups. Each group has a scale of its own, since batches of different size are not compared by the
/// length of their bars.
pub fn bars(title: &str, bars: &[Bar]) -> String {
    let mut groups: Vec<(&str, Vec<&Bar>)> = Vec::new();
    for bar in bars {
        match groups.last_mut() {
            Some((group, members)) if *group == bar.group => members.push(bar),
            _ => groups.push((&bar.group, vec![bar])),
        }
    }
    let height = bars.len() as f64 * ROW + groups.len() as f64 * GROUP + 8.0;
    let title = escape(title);
    let mut svg = format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-label=\"{title}\">\n"
    );
    let mut y = 0.0;
    for (group, members) in groups {
        let _ = writeln!(svg, "<text class=\"soft\" x=\"0\" y=\"{:.0}\">{}</text>", y + 16.0, escape(group));
        y += GROUP;
        let most = members.iter().fold(0.0_f64, |most, bar| most.max(bar.value).max(bar.reach.unwrap_or(0.0)));
        let scale = if most > 0.0 { (WIDTH - LEFT - RIGHT) / most } else { 0.0 };
        for bar in members {
            let end = LEFT + bar.value * scale;
            let middle = y + ROW / 2.0;
            let baseline = middle + 4.5;
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{baseline:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                escape(&bar.label)
            );
            let _ = writeln!(
                svg,
                "<rect class=\"c{}\" x=\"{LEFT:.0}\" y=\"{:.1}\" width=\"{:.1}\" height=\"16\"/>",
                bar.colour % COLOURS,
                middle - 8.0,
                (end - LEFT).max(1.0)
            );
            let mut text_at = end;
            if let Some(reach) = bar.reach.filter(|reach| *reach > bar.value) {
                text_at = LEFT + reach * scale;
                let _ = writeln!(
                    svg,
                    "<line class=\"whisker\" x1=\"{end:.1}\" y1=\"{middle:.1}\" x2=\"{text_at:.1}\" y2=\"{middle:.1}\"/>\n\
                     <line class=\"whisker\" x1=\"{text_at:.1}\" y1=\"{:.1}\" x2=\"{text_at:.1}\" y2=\"{:.1}\"/>",
                    middle - 5.0,
                    middle + 5.0
                );
            }
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{baseline:.1}\">{}</text>", text_at + 8.0, escape(&bar.text));
            y += ROW;
        }
    }
    svg + "</svg>\n</figure>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_reach_fills_the_width_of_its_group() {
        let bar = |group: &str, value, reach| Bar {
            group: group.to_owned(),
            label: "a<b".to_owned(),
            colour: 7,
            value,
            reach,
            text: format!("{value} ms"),
        };
        let svg =
            bars("Latency", &[bar("batch 1", 1.0, Some(4.0)), bar("batch 1", 2.0, None), bar("batch 8", 50.0, None)]);
        // The scale of the first group is 400 for 4; the second group has its own.
        for part in
            ["width=\"100.0\"", "width=\"200.0\"", "width=\"400.0\"", "x2=\"550.0\"", "class=\"c1\"", "a&lt;b", "50 ms"]
        {
            assert!(svg.contains(part), "{part} in {svg}");
        }
        assert_eq!(svg.matches(">batch 1<").count(), 1);
        assert!(bars("Nothing", &[]).contains("</svg>"));
    }
}
