//! How long a source may keep others waiting.

use std::time::{Duration, Instant};

/// What a source must keep to; one that does not is left, and the next one is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// The longest that a connection may take, and the look-up of a name before it.
    pub connect: Duration,
    /// The longest silence of a server that is believed to be alive, before its answer and within it.
    pub silence: Duration,
    /// The fewest bytes a second that are worth waiting for, on average over [`window`](Self::window).
    pub least_rate: u64,
    /// How long the rate is measured before it is judged.
    pub window: Duration,
    /// The longest that a package manager may bring nothing. It also resolves, verifies and unpacks in this time.
    pub idle_client: Duration,
}

impl Default for Patience {
    /// A closed network holds nobody up, and a slow one may take its time: 5 s for a connection, 15 s of silence, 1 kB a second
    /// over 30 s, 5 min without a byte for a package manager, which has limits of its own.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            silence: Duration::from_secs(15),
            least_rate: 1000,
            window: Duration::from_secs(30),
            idle_client: Duration::from_secs(300),
        }
    }
}

/// Judges how fast bytes come. Only the time that is spent waiting for them counts, not what is then done with them.
pub(crate) struct Pace {
    patience: Patience,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    pub(crate) fn new(patience: &Patience) -> Self {
        Self { patience: patience.clone(), waited: Duration::ZERO, bytes: 0 }
    }

    /// `bytes` came after a wait that began at `started`; what is wrong, if that is too slow.
    pub(crate) fn came(&mut self, bytes: usize, started: Instant) -> Result<(), String> {
        self.waited += started.elapsed();
        self.bytes += bytes as u64;
        let Patience { window, least_rate, .. } = self.patience;
        if self.waited < window {
            return Ok(());
        }
        let rate = self.bytes as f64 / self.waited.as_secs_f64();
        if rate < least_rate as f64 {
            return Err(format!(
                "only {rate:.0} bytes a second came for {:.0} s, and fewer than {least_rate} are too slow",
                self.waited.as_secs_f64()
            ));
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}
