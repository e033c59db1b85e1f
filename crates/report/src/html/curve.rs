//! Line charts: the lines are SVG that the page stretches, the words around them are text of the page's own size.

use std::fmt::Write;

use crate::html::chart::colour;
use crate::html::{attribute, escape};
use terminal::table::figure;

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

/// The size of the picture in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;

/// What lines and points need at the edges.
const MARGIN: f64 = 12.0;

/// Curves over a common axis, such as `epoch`. Values that are no numbers are left out.
pub fn curves(title: &str, axis: &str, curves: &[Curve]) -> String {
    let values = || curves.iter().flat_map(|curve| &curve.values).copied().filter(|value| value.is_finite());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let (low, high) = match (low.is_finite(), low < high) {
        (false, _) => (0.0, 1.0),
        (true, false) => (low - 0.5, low + 0.5),
        (true, true) => (low, high),
    };
    let last = curves.iter().map(|curve| curve.values.len()).max().unwrap_or(0);
    let place = |index: usize, value: f64| {
        // A single point stands in the middle.
        let share = if last > 1 { index as f64 / (last - 1) as f64 } else { 0.5 };
        let x = MARGIN + (WIDTH - 2.0 * MARGIN) * share;
        let y = MARGIN + (HEIGHT - 2.0 * MARGIN) * (high - value) / (high - low);
        format!("{x:.1} {y:.1}")
    };
    let mut drawing = String::new();
    for height in [MARGIN, HEIGHT / 2.0, HEIGHT - MARGIN] {
        let _ = writeln!(drawing, "<path class=\"grid\" d=\"M0 {height}H{WIDTH}\"/>");
    }
    for curve in curves {
        let points: Vec<String> = curve
            .values
            .iter()
            .enumerate()
            .filter(|(_, value)| value.is_finite())
            .map(|(index, &value)| place(index, value))
            .collect();
        let stroke = format!("s{}", colour(curve.colour).trim_start_matches('c'));
        if !points.is_empty() {
            let _ = writeln!(drawing, "<path class=\"line {stroke}\" d=\"M{}\"/>", points.join("L"));
        }
        let dots: Vec<String> = points.iter().map(|point| format!("M{point}h0")).collect();
        let _ = writeln!(drawing, "<path class=\"dots {stroke}\" d=\"{}\"/>", dots.concat());
    }
    let legend: String = curves.iter().map(legend_entry).collect();
    let first = if last > 1 { format!("{axis} 1") } else { String::new() };
    format!(
        "<figure class=\"curves\">\n<figcaption>{caption}</figcaption>\n<ul class=\"legend\">\n{legend}</ul>\n\
         <div class=\"frame\">\n<div class=\"scale\" aria-hidden=\"true\"><span>{high}</span><span>{low}</span></div>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{label}\">\n{drawing}</svg>\n\
         <div class=\"axis\" aria-hidden=\"true\"><span>{first}</span><span>{axis} {last}</span></div>\n</div>\n</figure>\n",
        caption = escape(title),
        high = figure(high),
        low = figure(low),
        label = attribute(&description(title, axis, curves)),
        first = escape(&first),
        axis = escape(axis),
    )
}

fn legend_entry(curve: &Curve) -> String {
    format!(
        "<li><svg class=\"key\" viewBox=\"0 0 12 12\" aria-hidden=\"true\"><rect class=\"{}\" width=\"12\" height=\"12\"/></svg>{}</li>\n",
        colour(curve.colour),
        escape(&curve.label)
    )
}

/// What the picture shows, in words.
fn description(title: &str, axis: &str, curves: &[Curve]) -> String {
    let parts: Vec<String> = curves
        .iter()
        .filter_map(|curve| {
            let (first, last) = (curve.values.first()?, curve.values.last()?);
            let count = curve.values.len();
            Some(match count {
                1 => format!("{}: {}", curve.label, figure(*first)),
                _ => format!(
                    "{}: from {} at {axis} 1 to {} at {axis} {count}",
                    curve.label,
                    figure(*first),
                    figure(*last)
                ),
            })
        })
        .collect();
    format!("{title}. {}", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(label: &str, values: &[f64]) -> Curve {
        Curve { label: label.to_owned(), colour: 0, values: values.to_vec() }
    }

    #[test]
    fn the_extremes_touch_the_edges() {
        let html = curves("Loss", "epoch", &[curve("train", &[3.0, 2.0, 1.0]), curve("test", &[2.0, f64::NAN, 1.0])]);
        assert!(html.contains("d=\"M12.0 12.0L500.0 150.0L988.0 288.0\""), "{html}");
        assert!(html.contains("d=\"M12.0 150.0L988.0 288.0\""), "{html}");
        for part in
            [">epoch 3<", "</svg>train</li>", "Loss. train: from 3.00 at epoch 1 to 1.00 at epoch 3; test: from"]
        {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn one_point_and_none_are_drawn_too() {
        let one = curves("Loss", "epoch", &[curve("train", &[2.0])]);
        assert!(one.contains("d=\"M500.0 150.0\"") && one.contains("Loss. train: 2.00"), "{one}");
        let none = curves("Loss", "epoch", &[curve("train", &[])]);
        assert!(!none.contains("NaN") && !none.contains("inf"), "{none}");
    }
}
