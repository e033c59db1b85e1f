//! A training step, phase by phase.

use anyhow::Result;

use crate::contender::{Contender, Peak, Steps};
use crate::worker::Kind;
use crate::{Arguments, Trained, quantile};

const PHASES: [&str; 4] = ["data", "forward", "backward", "optimiser"];

#[derive(Default)]
struct Record {
    /// Milliseconds of each phase of each step.
    steps: Vec<[f64; 4]>,
    peak_mib: f64,
    /// The mean loss of the last turn.
    loss: f64,
    /// After the turn that warms up, and after the last.
    cpu_seconds: [f64; 2],
    /// Of its matrix product.
    gflops: f64,
}

/// Lets all contenders take steps, and prints how long these took.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut contenders: Vec<(Contender, Record)> =
        Contender::start_all(arguments)?.into_iter().map(|contender| (contender, Record::default())).collect();
    for round in 0..=arguments.rounds {
        for (contender, record) in &mut contenders {
            let turn: Steps = contender.order(&format!("steps {}", arguments.steps))?;
            record.peak_mib = turn.peak_mib;
            record.loss = turn.losses.iter().sum::<f64>() / turn.losses.len() as f64;
            record.cpu_seconds[1] = turn.cpu_seconds;
            // The first turn warms up.
            match round {
                0 => record.cpu_seconds[0] = turn.cpu_seconds,
                _ => record.steps.extend(turn.steps),
            }
        }
    }
    for (contender, record) in &mut contenders {
        record.gflops = contender.order::<Peak>("peak")?.gflops;
    }
    let machine = contenders.iter().fold(0.0_f64, |peak, (_, record)| peak.max(record.gflops));
    println!(
        "batch {}, {} threads, {} steps each, on {}; the machine's matrix peak is {machine:.0} GFLOP/s",
        arguments.batch_size(),
        arguments.threads,
        arguments.rounds * arguments.steps,
        std::env::consts::ARCH,
    );
    let items = if arguments.network == Trained::Digits { "images" } else { "windows" };
    let medians = contenders.iter().map(|(contender, record)| (contender.kind, record.quantile(0.5, total)));
    let medians: Vec<(Kind, f64)> = medians.collect();
    // The best that PyTorch does in float32; the last contender where it takes no part.
    let float32 = medians.iter().filter(|(kind, _)| kind.pytorch_mode().is_some() && kind.is_float32());
    let reference = float32.min_by(|a, b| a.1.total_cmp(&b.1)).or(medians.last()).copied();
    for (contender, record) in &contenders {
        let [best, median, late] = [0.0, 0.5, 0.9].map(|share| record.quantile(share, total));
        let (name, of) = reference.map_or(("", f64::NAN), |(kind, time)| (kind.name(), median / time));
        println!(
            "{:13} best {best:7.2} ms, median {median:7.2} ms, p90 {late:7.2} ms, {:6.1} {items}/s, {of:5.2} of {name}, {:5.0} MiB, \
             loss {:.4}",
            contender.name,
            1e3 * arguments.batch_size() as f64 / median,
            record.peak_mib,
            record.loss,
        );
        let phase = |index: usize| record.quantile(0.5, |step| step[index]);
        let phases: Vec<String> =
            PHASES.iter().enumerate().map(|(index, name)| format!("{name} {:.2} ms", phase(index))).collect();
        println!("{:13} {}; {:.1} ms of processor time", "", phases.join(", "), record.cpu_ms());
        if arguments.network == Trained::Digits {
            let gflops = operations(arguments.batch_size() as f64) / median / 1e6;
            let share = 1e2 * gflops / machine;
            let own = record.gflops;
            println!("{:13} {gflops:.0} GFLOP/s, {share:.0} % of the peak; its matrix product reaches {own:.0}", "");
        }
    }
    Ok(())
}

/// Multiplications and additions of a step of the MNIST CNN as the definitions have them, in FLOP.
fn operations(batch: f64) -> f64 {
    let first = 26.0 * 26.0 * 32.0 * 9.0;
    let second = 24.0 * 24.0 * 64.0 * 32.0 * 9.0;
    let linear = 9216.0 * 128.0 + 128.0 * 10.0;
    // Forward and the weights' gradient for each; the input's gradient for all but the first.
    2.0 * batch * (2.0 * first + 3.0 * second + 3.0 * linear)
}

impl Record {
    /// Processor time of a step. Unlike the time on the clock it hardly depends on what else the machine does.
    fn cpu_ms(&self) -> f64 {
        1e3 * (self.cpu_seconds[1] - self.cpu_seconds[0]) / self.steps.len() as f64
    }

    /// The quantile of a time over all steps.
    fn quantile(&self, share: f64, time: impl Fn(&[f64; 4]) -> f64) -> f64 {
        quantile(self.steps.iter().map(time).collect(), share)
    }
}

fn total(step: &[f64; 4]) -> f64 {
    step.iter().sum()
}
