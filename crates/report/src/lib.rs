//! The report over all networks: what their evaluations found, summary first, as a page, as Markdown and as JSON.
//!
//! Everything in it is read from the `eval.json` files. Nothing is measured here.

mod chapter;
mod collect;
mod date;
mod figures;
mod html;
mod markdown;
mod page;
mod reading;
mod summary;
mod timing_page;
mod trade_off;
mod validation;
mod write;

pub use chapter::{Chapter, Claim, Leader, Recipe};
pub use collect::{CollectError, Evidence, Unreadable, collect};
pub use markdown::markdown;
pub use page::page;
pub use summary::{Summary, summary};
pub use write::report;
