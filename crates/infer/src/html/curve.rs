//! Line charts as SVG.

use std::fmt::Write;

use crate::html::escape;
use crate::table::figure;

/// A line through points at 1, 2, 3 and so on.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// What it is of.
    pub label: String,
    /// Which colour, from 0.
    pub colour: usize,
    /// The values in order.
    pub values: Vec<f64>,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
const COLOURS: usize = 6;

/// Curves over a common axis, such as `epoch`. Values that are no numbers are left out.
pub fn curves(title: &str, axis: &str, curves: &[Curve]) -> String {
    let values = || curves.iter().flat_map(|curve| &curve.values).copied().filter(|value| value.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = match (low.is_finite(), low < high) {
        (false, _) => (0.0, 1.0),
        (true, false) => (low - 0.5, low + 0.5),
        (true, true) => (low, high),
    };
    let last = curves.iter().map(|curve| curve.values.len()).max().unwrap_or(1).max(1);
    let x = |index: usize| LEFT + (WIDTH - LEFT - RIGHT) * index as f64 / (last.max(2) - 1) as f64;
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
    let (title, axis) = (escape(title), escape(axis));
    let mut svg = format!(
        "<figure>\n<figcaption>{title}</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n"
    );
    for value in [low, high] {
        let (right, height, text) = (WIDTH - RIGHT, y(value), figure(value));
        let _ = writeln!(
            svg,
            "<text class=\"soft\" x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>\n\
             <line class=\"grid\" x1=\"{LEFT}\" y1=\"{height:.1}\" x2=\"{right:.1}\" y2=\"{height:.1}\"/>",
            LEFT - 8.0,
            height + 4.5,
        );
    }
    let _ = writeln!(svg, "<text class=\"soft\" x=\"{LEFT}\" y=\"{:.0}\">{axis} 1</text>", HEIGHT - 8.0);
    let _ = writeln!(
        svg,
        "<text class=\"soft\" x=\"{:.1}\" y=\"{:.0}\" text-anchor=\"end\">{axis} {last}</text>",
        WIDTH - RIGHT,
        HEIGHT - 8.0
    );
    let mut taken: Vec<f64> = Vec::new();
    for curve in curves {
        let colour = curve.colour % COLOURS;
        let points: Vec<(f64, f64)> = curve
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
            .map(|(index, value)| (x(index), y(*value)))
            .collect();
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(svg, "<polyline class=\"line s{colour}\" points=\"{}\"/>", path.join(" "));
        for (x, y) in &points {
            let _ = writeln!(svg, "<circle class=\"c{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>");
        }
        if let Some((x, y)) = points.last() {
            // Labels of curves that end close to each other are moved apart.
            let mut at = y + 4.5;
            while taken.iter().any(|other: &f64| (other - at).abs() < 15.0) {
                at += 15.0;
            }
            taken.push(at);
            let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{at:.1}\">{}</text>", x + 8.0, escape(&curve.label));
        }
    }
    svg + "</svg>\n</figure>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extremes_touch_the_edges() {
        let curve = |label: &str, values: &[f64]| Curve { label: label.to_owned(), colour: 0, values: values.to_vec() };
        let svg = curves("Loss", "epoch", &[curve("train", &[3.0, 2.0, 1.0]), curve("test", &[2.0, f64::NAN, 1.0])]);
        assert!(svg.contains("points=\"70.0,12.0 320.0,101.0 570.0,190.0\""), "{svg}");
        assert!(svg.contains("points=\"70.0,101.0 570.0,190.0\""), "{svg}");
        assert!(
            svg.contains(">epoch 3<")
                && svg.contains(">train<")
                && svg.contains("y=\"194.5\">train")
                && svg.contains("y=\"209.5\">test")
        );
    }

    #[test]
    fn one_point_and_none_are_drawn_too() {
        let curve = |values: &[f64]| [Curve { label: String::new(), colour: 0, values: values.to_vec() }];
        assert!(curves("Loss", "epoch", &curve(&[2.0])).contains("points=\"70.0,101.0\""));
        assert!(!curves("Loss", "epoch", &curve(&[])).contains("NaN"));
    }
}
