//! Progress with the time left, on a terminal only.

use std::io::{self, IsTerminal};
use std::time::Duration;

use crate::plain::plain;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar on standard error; none where that is not a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

/// The steps of a bar.
const STEPS: u64 = 1000;

/// Before anything is done, nothing tells how long it takes.
const WAITING: &str = "{prefix:24} {bar:32} {percent:>3}%{msg}";

/// How a bar looks once the time left can be told.
const MOVING: &str = "{prefix:24} {bar:32} {percent:>3}%  {eta} left{msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Progress {
    /// A bar with a label in front.
    pub fn new(label: &str) -> Self {
        let target = match io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let bar =
            ProgressBar::with_draw_target(Some(STEPS), target).with_style(style(WAITING)).with_prefix(plain(label));
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { bar }
    }

    /// Shows which share is done, from 0 to 1.
    pub fn set(&self, share: f64) {
        let position = (share.clamp(0.0, 1.0) * STEPS as f64) as u64;
        if self.bar.position() == 0 && position > 0 {
            self.bar.set_style(style(MOVING));
        }
        self.bar.set_position(position);
    }

    /// Shows a note behind the time left, such as a rate.
    pub fn note(&self, note: &str) {
        self.bar.set_message(format!("  {}", plain(note)));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
