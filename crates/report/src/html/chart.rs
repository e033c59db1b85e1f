//! Bar charts that are tables: a bar fills what space the page has, a screen reader reads the figures, and paper shows both.

use std::fmt::Write;

use crate::html::{attribute, escape};

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
    /// The values that a line across the bar's end reaches from and to, if they are known.
    pub spread: Option<(f64, f64)>,
    /// What is written beside it.
    pub text: String,
}

/// The width of a bar's picture, in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;
const COLOURS: usize = 6;

/// How many times as long as the longest bar a line may make a group. A busy machine has runs that take a hundred times as
/// long as others, beside which no bar could be seen.
const LONGEST: f64 = 3.0;

/// Bars in groups. Each group has a scale of its own, since batches of different size are not compared by the length of
/// their bars. `note` says how to read them.
pub fn bars(title: &str, note: &str, bars: &[Bar]) -> String {
    let mut groups: Vec<(&str, Vec<&Bar>)> = Vec::new();
    for bar in bars {
        match groups.last_mut() {
            Some((group, members)) if *group == bar.group => members.push(bar),
            _ => groups.push((&bar.group, vec![bar])),
        }
    }
    let mut html = format!(
        "<table class=\"chart\">\n<caption>{} <span class=\"soft\">{}</span></caption>\n\
         <colgroup><col class=\"name\"/><col/><col class=\"value\"/></colgroup>\n",
        escape(title),
        escape(note)
    );
    for (group, members) in groups {
        let _ = writeln!(
            html,
            "<tbody>\n<tr><th class=\"group\" colspan=\"3\" scope=\"rowgroup\">{}</th></tr>",
            escape(group)
        );
        let longest = members.iter().map(|bar| bar.value).filter(|value| value.is_finite()).fold(0.0, f64::max);
        let far = |bar: &&Bar| bar.spread.map_or(bar.value, |(_, high)| high.max(bar.value));
        let most = members.iter().map(far).filter(|far| far.is_finite()).fold(0.0, f64::max).min(LONGEST * longest);
        let scale = if most > 0.0 { WIDTH / most } else { 0.0 };
        for bar in members {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th><td class=\"plot\">{}</td><td>{}</td></tr>",
                escape(&bar.label),
                picture(bar, scale),
                escape(&bar.text)
            );
        }
        html += "</tbody>\n";
    }
    html + "</table>\n"
}

/// A bar and its spread, for the eye alone: the text beside it says the same.
fn picture(bar: &Bar, scale: f64) -> String {
    let at = |value: f64| if value.is_finite() { (value * scale).clamp(0.0, WIDTH) } else { 0.0 };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} 16\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"c{}\" x=\"0\" y=\"2\" width=\"{:.1}\" height=\"12\"/>",
        bar.colour % COLOURS,
        at(bar.value).max(2.0)
    );
    if let Some((low, high)) = bar.spread {
        // A line that goes on beyond the picture has no end in it.
        let end = if high * scale <= WIDTH + 0.5 { format!("M{:.1} 4V12", at(high)) } else { String::new() };
        let (low, high) = (at(low), if high.is_finite() { at(high) } else { WIDTH });
        let _ = write!(svg, "<path class=\"whisker\" d=\"M{low:.1} 8H{high:.1}M{low:.1} 4V12{end}\"/>");
    }
    svg + "</svg>"
}

/// The name of a colour's class, for a legend.
pub(super) fn colour(index: usize) -> String {
    attribute(&format!("c{}", index % COLOURS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_reach_fills_the_width_of_its_group() {
        let bar = |group: &str, value, spread| Bar {
            group: group.to_owned(),
            label: "a<b".to_owned(),
            colour: 7,
            value,
            spread,
            text: format!("{value} ms"),
        };
        let html = bars(
            "Latency",
            "shorter is better",
            &[
                bar("batch 1", 1.0, Some((0.5, 4.0))),
                bar("batch 1", 2.0, None),
                bar("batch 8", 50.0, None),
                bar("batch 9", 1.0, Some((1.0, 99.0))),
            ],
        );
        // The scale of the first group is 1000 for 4; the second group has its own.
        for part in [
            "width=\"250.0\"",
            "M125.0 8H1000.0",
            "width=\"500.0\"",
            "width=\"1000.0\"",
            "class=\"c1\"",
            "a&lt;b",
            "50 ms",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches(">batch 1<").count(), 1);
        // A line far beyond the bars is cut off, and shows no end.
        assert!(html.contains("d=\"M333.3 8H1000.0M333.3 4V12\""), "{html}");
        assert!(bars("Nothing", "", &[]).contains("</table>"));
    }

    #[test]
    fn values_that_are_no_numbers_draw_nothing_odd() {
        let bar = Bar {
            group: String::new(),
            label: String::new(),
            colour: 0,
            value: f64::NAN,
            spread: Some((0.0, f64::INFINITY)),
            text: String::new(),
        };
        let html = bars("x", "", &[bar]);
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
    }
}
