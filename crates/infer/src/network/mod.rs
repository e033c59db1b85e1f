//! The evaluation of a network whose weights come from elsewhere: what is compared, and the report.

pub mod page;
pub mod report;

use serde::{Deserialize, Serialize};

/// An engine beside the framework, item by item of its task.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Items that both were given, such as pictures.
    pub items: usize,
    /// Items for which both give the same result.
    pub same: usize,
    /// Pictures for which both put the same five classes first, in any order; `None` for other tasks.
    pub same_top5: Option<usize>,
    /// The items whose results differ.
    pub differing: Vec<DifferingItem>,
}

/// An item for which engine and framework give different results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DifferingItem {
    /// What was given: a file, a question.
    pub item: String,
    /// What the framework makes of it.
    pub reference: String,
    /// What the engine makes of it.
    pub found: String,
}

impl Agreement {
    /// Takes an item in.
    pub fn take(&mut self, item: &str, reference: &str, found: &str) {
        self.items += 1;
        if reference == found {
            self.same += 1;
        } else {
            let [item, reference, found] = [item, reference, found].map(str::to_owned);
            self.differing.push(DifferingItem { item, reference, found });
        }
    }
}
