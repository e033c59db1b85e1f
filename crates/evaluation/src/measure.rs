//! How an evaluation measures.

use std::path::PathBuf;
use std::time::Duration;

use engines::engine_name::EngineName;
use engines::memory::fitting;
use engines::provider::{Provider, ProviderOptions};
use engines::session::SessionOptions;
use engines::tensor::ElementType;
use terminal::program::note;

use crate::measured::Settings;
use crate::scenario::Scenario;

/// How an evaluation measures, whatever it measures.
#[derive(Debug, Clone)]
pub struct Measure {
    /// The engines, each once.
    pub engines: Vec<EngineName>,
    /// Options of providers.
    pub provider_options: Vec<(Provider, String, String)>,
    /// Whether every engine of ONNX Runtime has a session for each size of its inputs.
    pub session_per_size: bool,
    /// Threads inside one operation.
    pub threads: usize,
    /// The batch sizes that are asked for; none for the usual ones.
    pub batches: Vec<usize>,
    /// The least time for a batch size, in seconds.
    pub seconds: f64,
    /// MLPerf's scenarios that are run as well.
    pub scenarios: Vec<Scenario>,
    /// How long an engine may take for an answer.
    pub timeout: Duration,
    /// Whether to look for the node at which an engine departs.
    pub bisect: bool,
    /// Another file that is right.
    pub against: Option<PathBuf>,
    /// Where fetched libraries lie.
    pub datasets: PathBuf,
}

impl Measure {
    /// What holds for all engines.
    pub fn settings(&self) -> Settings {
        let optimization = SessionOptions::default().optimization;
        Settings { threads: self.threads, optimization, seconds: self.seconds }
    }

    /// The options for a provider.
    pub fn options_for(&self, provider: &Provider) -> ProviderOptions {
        let given = self.provider_options.iter().filter(|(named, _, _)| named == provider);
        given.map(|(_, key, value)| (key.clone(), value.clone())).collect()
    }

    /// What a reader should know of the sessions and of the number of threads.
    pub fn notes(&self) -> Vec<String> {
        let cores = engines::fingerprint::cores();
        let threads = (self.threads > cores)
            .then(|| format!("{} threads share the {cores} cores that this process may use", self.threads));
        let sessions = self.session_per_size.then(|| {
            "every engine of ONNX Runtime has a session for each size of its inputs, in which the dynamic axes are fixed \
             (--session-per-size), and need not be right with one for all"
                .to_owned()
        });
        sessions.into_iter().chain(threads).collect()
    }

    /// The batch sizes to time that this machine can hold, and what is said of the others, at once and in the report. `usual`
    /// are those if none is asked for; one item is always timed, first.
    pub fn batches(
        &self,
        usual: &[usize],
        elements: impl Fn(usize) -> Vec<(ElementType, usize)>,
    ) -> (Vec<usize>, Vec<String>) {
        let (fit, unfit) = fitting(&sizes(&self.batches, usual), elements);
        unfit.iter().for_each(|sentence| note(format_args!("warning: {sentence}")));
        (fit, unfit)
    }
}

/// The batch sizes in the order given, each once, the latency of one item first; `usual` if none is given.
fn sizes(asked: &[usize], usual: &[usize]) -> Vec<usize> {
    let mut sizes = vec![1];
    for &size in if asked.is_empty() { usual } else { asked } {
        if !sizes.contains(&size) {
            sizes.push(size);
        }
    }
    sizes
}

#[cfg(test)]
mod tests {
    use super::sizes;

    #[test]
    fn one_item_is_always_timed_and_no_size_twice() {
        assert_eq!(sizes(&[64, 8, 64], &[1, 2]), [1, 64, 8]);
        assert_eq!(sizes(&[1, 8], &[1, 2]), [1, 8]);
        assert_eq!(sizes(&[], &[1, 2]), [1, 2]);
    }
}
