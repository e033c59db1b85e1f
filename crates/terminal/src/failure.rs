//! How a failure is put into words.

use std::error::Error;
use std::path::Path;

use crate::plain::plain;

/// The error and its causes in one line, each after a colon. A cause that the text before it already ends with is left
/// out: many errors quote their cause themselves. It is plain: names in it break no line.
///
/// An `anyhow::Error` is passed as `error.as_ref()`.
pub fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    plain(&text)
}

/// The error in words, behind `advice` on how to get what lies at `path` if nothing is there. What is there and does not do
/// says by itself what is wrong with it.
pub fn advised(error: &dyn Error, path: &Path, advice: &str) -> String {
    match path.exists() {
        true => sentence(error),
        false => format!("{advice}: {}", sentence(error)),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::io;

    use super::*;

    #[derive(Debug)]
    struct Failure(&'static str, Option<Box<dyn Error>>);

    impl fmt::Display for Failure {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Failure {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_deref()
        }
    }

    #[test]
    fn nothing_is_said_twice() {
        let reason = || Some(io::Error::other("disk on fire").into());
        let quoting = Failure("cannot read x: disk on fire", reason());
        assert_eq!(sentence(&quoting), "cannot read x: disk on fire");
        let plain = Failure("cannot read x", reason());
        assert_eq!(sentence(&plain), "cannot read x: disk on fire");
        let outer = Failure("no data", Some(Box::new(quoting)));
        assert_eq!(sentence(&outer), "no data: cannot read x: disk on fire");
    }

    #[test]
    fn a_sentence_is_one_line() {
        let outer = Failure("no `a\nPassed`", Some(io::Error::other("b\u{1b}[2J").into()));
        assert_eq!(sentence(&outer), "no `a\\nPassed`: b\\u001b[2J");
    }

    #[test]
    fn advice_is_for_what_is_absent() {
        let failure = Failure("a.json is cut off", None);
        assert_eq!(advised(&failure, Path::new("no/such/file"), "fetch it"), "fetch it: a.json is cut off");
        assert_eq!(advised(&failure, Path::new(env!("CARGO_MANIFEST_DIR")), "fetch it"), "a.json is cut off");
    }
}
