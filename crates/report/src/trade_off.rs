//! What a quantisation tried: time against accuracy.

use evaluation::quantised::Budget;
use terminal::table::Grid;

use crate::html::{Point, paragraph, scatter, table};

/// The models that were tried, as points and as a table; `None` if no more than one was, or none was timed.
pub fn trade_off(budget: &Budget) -> Option<String> {
    let timed = budget.tried.iter().filter_map(|tried| Some((tried, tried.time_share?)));
    let points: Vec<Point> = timed
        .map(|(tried, share)| Point {
            x: share,
            y: 100.0 * tried.drop,
            label: format!("{} nodes in float", tried.in_float),
            within: tried.drop <= budget.max_drop,
        })
        .collect();
    if points.len() < 2 {
        return None;
    }
    let rows = points.iter().map(|point| {
        let within = if point.within { "yes" } else { "no" };
        vec![point.label.clone(), format!("{:.3}", point.x), format!("{:.3}", point.y), within.to_owned()]
    });
    let lost = format!("lost of {}, in per cent", budget.metric.words());
    let headings = ["model", "time as a share of float's", &lost, "good enough"];
    let about = paragraph("Each point is a model that was tried while the file was made, on the samples of that time.");
    Some(
        about
            + &scatter("time as a share of the float model's", &lost, &points)
            + &table(&Grid::new("The models that were tried", &headings, rows.collect())),
    )
}
