//! What a person sees while a network learns.

use std::io::{self, IsTerminal};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use terminal::program::{OutputError, note, print, print_line};

use crate::config::Config;
use crate::evaluation::Evaluation;
use crate::training::Progress;

/// Tells how the training goes.
#[derive(Debug)]
pub struct Report {
    /// There is one on a terminal; elsewhere the lines of PyTorch's example are printed.
    bar: Option<ProgressBar>,
    epochs: usize,
    batch_size: usize,
    /// Images in the training set.
    images: usize,
    /// Images that an epoch uses; fewer in a dry run.
    used: usize,
}

impl Report {
    /// For a run over `images` training images, `used` of them in each epoch.
    pub fn new(config: &Config, images: usize, used: usize) -> Self {
        let Config { epochs, batch_size, .. } = *config;
        let live = io::stdout().is_terminal() && io::stderr().is_terminal();
        let bar = live.then(|| ProgressBar::new((epochs * used) as u64).with_style(style()));
        Self { bar, epochs, batch_size, images, used }
    }

    /// Begins where a run continues, so that its speed is not overrated.
    pub fn start(&self, progress: &Progress) {
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
    pub fn step(&self, progress: &Progress, loss: Option<f64>) -> Result<(), OutputError> {
        let epoch = progress.epoch + 1;
        match (&self.bar, loss) {
            (Some(bar), loss) => {
                bar.set_prefix(format!("epoch {epoch}/{}", self.epochs));
                if let Some(loss) = loss {
                    bar.set_message(format!("{loss:.4}"));
                }
                bar.set_position(self.done(progress));
                Ok(())
            }
            (None, Some(loss)) => {
                let (before, images) = (progress.step - 1, self.images);
                let batch = self.batch_size.min(images - before * self.batch_size);
                let percent = 100.0 * before as f64 / images.div_ceil(self.batch_size) as f64;
                let seen = before * batch;
                print(format_args!("Train Epoch: {epoch} [{seen}/{images} ({percent:.0}%)]\tLoss: {loss:.6}\n"))
            }
            (None, None) => Ok(()),
        }
    }

    /// After the evaluation of an epoch.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn epoch(&self, test: &Evaluation) -> Result<(), OutputError> {
        let Evaluation { loss, correct, total } = *test;
        let percent = 100.0 * test.accuracy();
        let line = format!("Test set: Average loss: {loss:.4}, Accuracy: {correct}/{total} ({percent:.0}%)");
        match &self.bar {
            Some(bar) => bar.suspend(|| print_line(line)),
            None => print(format_args!("\n{line}\n\n")),
        }
    }

    /// After the last epoch.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn done(&self, progress: &Progress) -> u64 {
        (progress.epoch * self.used + (progress.step * self.batch_size).min(self.used)) as u64
    }
}

fn style() -> ProgressStyle {
    let template = "{prefix} {bar:32} {percent:>3}%  loss {msg}  {per_sec}  {eta} left";
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key(
        "per_sec",
        |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} images/s", state.per_sec());
        },
    )
}
