//! Points in a plane: what a thing costs against what it brings.

use std::fmt::Write;

use crate::html::{attribute, escape};
use terminal::table::figure;

/// A point of a [`scatter`].
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// From left to right, from 0.
    pub x: f64,
    /// From bottom to top, from 0.
    pub y: f64,
    /// What it is.
    pub label: String,
    /// Whether it is as it should be; others are drawn hollow.
    pub within: bool,
}

/// The size of the picture in its own units; the page stretches it.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 300.0;
const MARGIN: f64 = 16.0;

/// Points over two axes that begin at zero, with the largest values written at their ends. Points that are no numbers are left out.
pub fn scatter(x_axis: &str, y_axis: &str, points: &[Point]) -> String {
    let drawn: Vec<&Point> = points.iter().filter(|point| point.x.is_finite() && point.y.is_finite()).collect();
    let most = |of: fn(&Point) -> f64| drawn.iter().map(|point| of(point)).fold(0.0, f64::max);
    let (right, top) = (most(|point| point.x), most(|point| point.y));
    let share = |value: f64, most: f64| if most > 0.0 { value / most } else { 0.0 };
    let mut drawing = String::new();
    for height in [MARGIN, HEIGHT / 2.0, HEIGHT - MARGIN] {
        let _ = writeln!(drawing, "<path class=\"grid\" d=\"M0 {height}H{WIDTH}\"/>");
    }
    for point in &drawn {
        let x = MARGIN + (WIDTH - 2.0 * MARGIN) * share(point.x, right);
        let y = HEIGHT - MARGIN - (HEIGHT - 2.0 * MARGIN) * share(point.y, top);
        let class = if point.within { "point within" } else { "point" };
        let title = escape(&format!("{}: {} / {}", point.label, figure(point.x), figure(point.y)));
        let _ = writeln!(
            drawing,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\"><title>{title}</title></circle>"
        );
    }
    format!(
        "<figure class=\"curves\">\n<figcaption>{} (up to {}) against {} (up to {}); filled where it is good enough</figcaption>\n\
         <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{drawing}</svg>\n</figure>\n",
        escape(y_axis),
        figure(top),
        escape(x_axis),
        figure(right),
        attribute(&format!("{y_axis} against {x_axis}")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_values_lie_at_the_edges_and_no_numbers_are_left_out() {
        let point = |x, y, within| Point { x, y, label: "a <model>".to_owned(), within };
        let drawn =
            scatter("time", "drop", &[point(0.5, 2.0, true), point(1.0, 0.0, false), point(f64::NAN, 1.0, true)]);
        assert_eq!(drawn.matches("<circle").count(), 2);
        assert!(drawn.contains("class=\"point within\" cx=\"500.0\" cy=\"16.0\""), "{drawn}");
        assert!(drawn.contains("class=\"point\" cx=\"984.0\" cy=\"284.0\""), "{drawn}");
        assert!(drawn.contains("a &lt;model&gt;"), "{drawn}");
    }
}
