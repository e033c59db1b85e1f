//! How a program speaks and ends: output whose reader may go away, and the exit status.

use std::error::Error;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::process::ExitCode;

use artifact::interrupt;

use crate::failure::sentence;
use crate::plain::{line, lines};

/// The exit status of a program whose output nobody reads any more: that of one which SIGPIPE ended.
pub const CLOSED: u8 = 141;

/// Standard output cannot be written to.
#[derive(Debug)]
pub struct OutputError(io::Error);

impl OutputError {
    /// Whether its reader went away, as `head` does when it has seen enough.
    fn is_closed(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

impl Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl Error for OutputError {}

/// Writes lines to standard output, at once. Whatever texts they hold, no control character reaches a terminal.
///
/// # Errors
/// When it is closed, or full. [`end`] says nothing of the former.
pub fn print(text: impl Display) -> Result<(), OutputError> {
    let mut output = io::stdout().lock();
    output.write_all(lines(text).as_bytes()).and_then(|()| output.flush()).map_err(OutputError)
}

/// Writes one line to standard output, whatever the texts in it hold.
///
/// # Errors
/// As [`print()`].
pub fn print_line(text: impl Display) -> Result<(), OutputError> {
    print(line(text))
}

/// Writes one line to standard error, whatever the texts in it hold. That nobody reads it is no reason to stop.
pub fn note(text: impl Display) {
    let _ = io::stderr().write_all(line(text).as_bytes());
}

/// The exit status of a program, after a failure has been told on standard error.
///
/// A program that was interrupted says how to go on and nothing else; one whose output nobody reads any more says nothing.
/// `main` is `terminal::program::end(execute())`.
pub fn end<E>(result: Result<ExitCode, E>) -> ExitCode
where
    E: AsRef<dyn Error + Send + Sync + 'static>,
{
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    let error: &(dyn Error + 'static) = error.as_ref();
    if let Some(status) = interrupt::farewell() {
        return status;
    }
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<OutputError>().is_some_and(OutputError::is_closed) {
            return ExitCode::from(CLOSED);
        }
        cause = error.source();
    }
    note(format_args!("error: {}", sentence(error)));
    ExitCode::FAILURE
}
