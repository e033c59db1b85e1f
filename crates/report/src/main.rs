//! One page over every network that was evaluated.

use std::process::ExitCode;

use clap::Parser;
use cli::report::ReportArgs;
use terminal::program::end;

#[derive(Parser)]
#[command(name = "report", version)]
struct Arguments {
    #[command(flatten)]
    report: ReportArgs,
}

fn main() -> ExitCode {
    end(report::report(&Arguments::parse().report))
}
