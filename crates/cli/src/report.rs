//! `report`: one page over all networks that were evaluated.

use std::path::PathBuf;

use crate::path::{reading_or, writing};
use clap::Args;

/// Write one page over all networks that were evaluated.
///
/// It reads every `eval.json` below the folder of results and writes index.html, report.md and report.json. The page needs
/// no network and no script. Nothing is measured anew.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  cargo xtask report                       artifacts/report/index.html
  cargo xtask report --check               and fail if an evaluation failed
  cargo xtask report --artifacts runs/july --out july --json")]
pub struct ReportArgs {
    /// The folder with the results, one folder for each network.
    #[arg(long, value_name = "FOLDER", default_value = "artifacts", value_parser = reading_or("artifacts"))]
    pub artifacts: PathBuf,
    /// Where the report goes [default: the folder `report` in the folder with the results]
    #[arg(long, value_name = "FOLDER", value_parser = writing())]
    pub out: Option<PathBuf>,
    /// Fail if an evaluation failed or cannot be read. The report is written all the same.
    #[arg(long)]
    pub check: bool,
    /// Replace an index.html, report.md or report.json that Kiln did not write.
    #[arg(long)]
    pub force: bool,
    /// Print the summary as JSON instead of text.
    #[arg(long)]
    pub json: bool,
}
