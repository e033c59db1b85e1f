//! The pipe to a worker, which may not read.

use std::io::{self, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::process::ChildStdin;
use std::time::{Duration, Instant};

/// The writing end of a pipe, whose writes end at a point in time.
#[derive(Debug)]
pub struct PatientPipe {
    pipe: ChildStdin,
    until: Option<Instant>,
}

impl PatientPipe {
    /// A pipe that is waited for without end, until [`wait_until`](Self::wait_until) says otherwise.
    ///
    /// # Errors
    /// When the system refuses to let writes go on without waiting.
    pub fn new(pipe: ChildStdin) -> io::Result<Self> {
        // SAFETY: the descriptor is that of `pipe`, which is open.
        let flags = unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_GETFL) };
        // SAFETY: as above. The reading end has flags of its own.
        if flags < 0 || unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { pipe, until: None })
    }

    /// From now on writes fail with [`ErrorKind::TimedOut`] at `until`, if nobody reads.
    pub fn wait_until(&mut self, until: Option<Instant>) {
        self.until = until;
    }

    /// Waits until there is room, the other side is gone, or it has taken too long.
    fn wait(&self) -> io::Result<()> {
        let left = self.until.map(|until| until.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(ErrorKind::TimedOut.into());
        }
        // Rounded up, so that the last part of a millisecond is no busy loop.
        let milliseconds = left.map_or(-1, |left| i32::try_from(left.as_millis() + 1).unwrap_or(i32::MAX));
        let mut about = libc::pollfd { fd: self.pipe.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: the pointer is to one struct of the type that the function reads and writes.
        match unsafe { libc::poll(&raw mut about, 1, milliseconds) } {
            0.. => Ok(()),
            _ => Some(io::Error::last_os_error())
                .filter(|error| error.kind() != ErrorKind::Interrupted)
                .map_or(Ok(()), Err),
        }
    }
}

impl Write for PatientPipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.pipe.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait()?,
                result => return result,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.pipe.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn all_that_is_read_arrives_and_what_is_not_read_ends_in_time() {
        let count = Command::new("wc").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut child = count;
        let mut pipe = PatientPipe::new(child.stdin.take().unwrap()).unwrap();
        pipe.write_all(&[7; 1 << 20]).unwrap();
        drop(pipe);
        assert_eq!(String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim(), "1048576");

        let mut deaf = Command::new("sleep").arg("60").stdin(Stdio::piped()).spawn().unwrap();
        let mut pipe = PatientPipe::new(deaf.stdin.take().unwrap()).unwrap();
        let start = Instant::now();
        pipe.wait_until(start.checked_add(Duration::from_millis(200)));
        assert_eq!(pipe.write_all(&[7; 1 << 20]).unwrap_err().kind(), ErrorKind::TimedOut);
        assert!((200..30_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
        deaf.kill().unwrap();
        deaf.wait().unwrap();
        assert_eq!(pipe.write_all(&[7; 1 << 20]).unwrap_err().kind(), ErrorKind::BrokenPipe);
    }
}
