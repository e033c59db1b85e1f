//! Who is first to recognise so many test digits?

use anyhow::{Result, bail};

use crate::Arguments;
use crate::contender::{Contender, Steps, Test};

/// Steps between two tests.
const STRETCH: usize = 100;

/// After so many epochs a contender has failed.
const EPOCHS: usize = 14;

struct Runner {
    contender: Contender,
    /// Spent in training steps, on the clock.
    seconds: f64,
    /// Spent in training steps, on all cores.
    cpu_seconds: f64,
    /// What the process had spent at its last test.
    cpu_before: f64,
}

impl Runner {
    fn new(mut contender: Contender) -> Result<Self> {
        let Steps { cpu_seconds, .. } = contender.order("steps 0")?;
        Ok(Self { contender, seconds: 0.0, cpu_seconds: 0.0, cpu_before: cpu_seconds })
    }

    fn stretch(&mut self) -> Result<Test> {
        let turn: Steps = self.contender.order(&format!("steps {STRETCH}"))?;
        self.seconds += turn.steps.iter().flatten().sum::<f64>() / 1e3;
        self.cpu_seconds += turn.cpu_seconds - self.cpu_before;
        let test: Test = self.contender.order("test")?;
        self.cpu_before = test.cpu_seconds;
        Ok(test)
    }
}

/// Trains all contenders in turns until each recognises `share` of the test digits, and prints how long that took.
///
/// The time is that of the training steps; the tests between them are not in it.
pub fn run(arguments: &Arguments, share: f64) -> Result<()> {
    let epoch = 60_000_usize.div_ceil(arguments.batch_size());
    println!(
        "{} threads, to {share} of the test digits, tested every {STRETCH} steps; {epoch} steps are an epoch",
        arguments.threads
    );
    let mut running: Vec<Runner> =
        Contender::start_all(arguments)?.into_iter().map(Runner::new).collect::<Result<_>>()?;
    let mut steps = 0;
    while !running.is_empty() {
        if steps >= EPOCHS * epoch {
            let names: Vec<&str> = running.iter().map(|runner| runner.contender.name).collect();
            bail!("{} did not get there in {EPOCHS} epochs", names.join(" and "));
        }
        steps += STRETCH;
        let mut remaining = Vec::new();
        for mut runner in running {
            let Test { correct, total, .. } = runner.stretch()?;
            if (correct as f64) < share * total as f64 {
                remaining.push(runner);
                continue;
            }
            let Runner { contender, seconds, cpu_seconds, .. } = &runner;
            println!(
                "{:8} {seconds:7.1} s, {cpu_seconds:7.1} s of processor time, {:.2} epochs, {correct} of {total} digits",
                contender.name,
                steps as f64 / epoch as f64,
            );
        }
        running = remaining;
    }
    Ok(())
}
