//! The network at work: the forward pass without gradients.

use anyhow::Result;

use crate::contender::{Contender, Forward};
use crate::{Arguments, quantile};

/// Lets all contenders read batches of test digits, and prints how long that took.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut contenders = Contender::start_all(arguments)?;
    println!("forward pass, {} threads, {} passes each", arguments.threads, arguments.rounds * arguments.steps);
    for size in &arguments.forward {
        let mut passes = vec![Vec::new(); contenders.len()];
        for round in 0..=arguments.rounds {
            for (contender, passes) in contenders.iter_mut().zip(&mut passes) {
                let turn: Forward = contender.order(&format!("forward {} {size}", arguments.steps))?;
                // The first turn warms up.
                if round > 0 {
                    passes.extend(turn.passes);
                }
            }
        }
        let medians: Vec<f64> = passes.iter().map(|passes| quantile(passes.clone(), 0.5)).collect();
        let reference = medians.last().copied().unwrap_or(f64::NAN);
        for ((contender, passes), median) in contenders.iter().zip(passes).zip(medians) {
            println!(
                "batch {size:4} {:8} best {:8.3} ms, median {median:8.3} ms, {:7.0} images/s, {:5.2} of {}",
                contender.name,
                quantile(passes, 0.0),
                1e3 * *size as f64 / median,
                median / reference,
                contenders.last().map_or("", |last| last.name),
            );
        }
    }
    Ok(())
}
