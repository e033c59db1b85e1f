//! What a person sees while a network learns.

use std::cell::Cell;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use terminal::program::{OutputError, note, print, print_line};

use crate::training::{Progress, Training};

/// Tells how the training goes.
#[derive(Debug)]
pub struct Report {
    /// There is one on a terminal; elsewhere the lines of PyTorch's example are printed.
    bar: Option<ProgressBar>,
    /// Whether another process tells it.
    is_silent: bool,
    epochs: usize,
    batch_size: usize,
    /// Items to learn from.
    items: usize,
    /// Items that an epoch uses; fewer in a dry run.
    used: usize,
    /// What speed is told in, where lines tell it: a bar always does.
    told: Option<&'static str>,
    /// When this process began, and the items that were done then.
    begun: Cell<(Instant, u64)>,
}

impl Report {
    /// For a run.
    pub fn new<T: Training>(training: &T) -> Self {
        let (epochs, used) = (training.epochs(), training.used(training.steps()));
        let live = io::stdout().is_terminal() && io::stderr().is_terminal();
        let bar = live.then(|| ProgressBar::new((epochs * used) as u64).with_style(style(T::ITEMS)));
        let told = T::TELLS_SPEED.then_some(T::ITEMS);
        let begun = Cell::new((Instant::now(), 0));
        Self {
            bar,
            is_silent: false,
            epochs,
            batch_size: training.batch_size(),
            items: training.items(),
            used,
            told,
            begun,
        }
    }

    /// Says nothing.
    pub fn silent() -> Self {
        let begun = Cell::new((Instant::now(), 0));
        Self { bar: None, is_silent: true, epochs: 0, batch_size: 0, items: 0, used: 0, told: None, begun }
    }

    /// Begins where a run continues, so that its speed is not overrated.
    pub fn start<E>(&self, progress: &Progress<E>) {
        self.begun.set((Instant::now(), self.done(progress)));
        if let Some(bar) = &self.bar {
            bar.set_position(self.done(progress));
            bar.reset_eta();
        }
    }

    /// There is no checkpoint to go on from.
    pub fn nothing_to_resume(&self, folder: &Path) {
        note(format_args!("note: {} holds no checkpoint; the training starts at the beginning", folder.display()));
    }

    /// After every step. `loss` is that of the step, where it was read.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn step<E>(&self, progress: &Progress<E>, loss: Option<f64>) -> Result<(), OutputError> {
        let epoch = progress.epoch + 1;
        match (&self.bar, loss) {
            _ if self.is_silent => Ok(()),
            (Some(bar), loss) => {
                bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                if let Some(loss) = loss {
                    bar.set_message(format!("{loss:.4}"));
                }
                bar.set_position(self.done(progress));
                Ok(())
            }
            (None, Some(loss)) => {
                let (before, items) = (progress.step - 1, self.items);
                let batch = self.batch_size.min(items - before * self.batch_size);
                let percent = 100.0 * before as f64 / items.div_ceil(self.batch_size) as f64;
                let (seen, speed) = (before * batch, self.speed(self.done(progress)));
                print(format_args!("Train Epoch: {epoch} [{seen}/{items} ({percent:.0}%)]\tLoss: {loss:.6}{speed}\n"))
            }
            (None, None) => Ok(()),
        }
    }

    /// While an epoch is judged.
    pub fn judged(&self, share: f64) {
        if let Some(bar) = &self.bar {
            bar.set_prefix(format!("judging {:.0} %", 100.0 * share));
        }
    }

    /// After the evaluation of an epoch, with what it says.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn epoch(&self, found: &str) -> Result<(), OutputError> {
        match &self.bar {
            _ if self.is_silent => Ok(()),
            Some(bar) => bar.suspend(|| print_line(found)),
            None => print(format_args!("\n{found}\n\n")),
        }
    }

    /// After the last epoch.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn done<E>(&self, progress: &Progress<E>) -> u64 {
        (progress.epoch * self.used + (progress.step * self.batch_size).min(self.used)) as u64
    }

    /// Items a second and the time left, after `done` items of the whole run.
    fn speed(&self, done: u64) -> String {
        let Some(items) = self.told else { return String::new() };
        let (began, before) = self.begun.get();
        let speed = (done - before) as f64 / began.elapsed().as_secs_f64();
        let left = (self.epochs * self.used) as f64 - done as f64;
        format!("\t{speed:.1} {items}/s\t{} left", HumanDuration(Duration::from_secs_f64(left / speed)))
    }
}

fn style(items: &'static str) -> ProgressStyle {
    let template = "{prefix} {bar:32} {percent:>3}%  loss {msg}  {per_sec}  {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
        "per_sec",
        move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} {items}/s", state.per_sec());
        },
    )
}
