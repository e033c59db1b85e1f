//! Files from a web server.
//!
//! Asking and reading happen on a thread of their own, which hands over what comes: so neither a server that falls silent nor
//! one that trickles, at whatever layer, holds anybody up.

use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use artifact::interrupt;
use flate2::read::GzDecoder;

use crate::patience::{Pace, Patience};
use crate::record::Record;
use crate::sources::{Observer, SourceError};
use crate::store::{keep_record, store};
use artifact::manifest::FileEntry;

/// The most bytes that are handed over at once.
const PIECE: usize = 1 << 16;

/// The time from one look at whether somebody interrupts the wait to the next.
const LOOK: Duration = Duration::from_millis(50);

/// The pieces that may lie ready.
const PIECES: usize = 8;

/// Takes the wanted files from the server at `base`, where their names end in `suffix`.
pub(crate) fn from_server(
    wanted: &[FileEntry],
    folder: &Path,
    (base, suffix): (&str, &str),
    patience: &Patience,
    observer: &mut dyn Observer,
) -> Result<(), SourceError> {
    let mut record = Record::read(folder)?;
    for entry in wanted {
        let address = format!("{base}{}{suffix}", entry.source_name());
        let agent = ureq::Agent::from(config(base, patience));
        let download = Download::start(agent, address, most(entry, suffix), patience)?;
        let announced = download.announced.filter(|_| suffix.is_empty());
        let (bytes, sha256) = match suffix {
            ".gz" => store(entry, folder, GzDecoder::new(download), None, observer)?,
            _ => store(entry, folder, download, announced, observer)?,
        };
        keep_record(&mut record, entry, bytes, sha256, observer)?;
    }
    Ok(())
}

/// How the server at `base` is asked. Where it is reached over TLS, so is every place that it redirects to.
fn config(base: &str, patience: &Patience) -> ureq::config::Config {
    ureq::Agent::config_builder()
        .https_only(base.starts_with("https://"))
        .timeout_resolve(Some(patience.connect))
        .timeout_connect(Some(patience.connect))
        .timeout_recv_response(Some(patience.silence))
        .build()
}

/// The most bytes that a server may send of a packed file: deflate makes of any content at most 5 bytes in 16 kB more, and a
/// header of gzip may hold a name and a comment. Of a plain one no more is read than it can have.
fn most(entry: &FileEntry, suffix: &str) -> u64 {
    let content = entry.most_bytes();
    match suffix {
        "" => u64::MAX,
        _ => content.saturating_add(content / 1000).saturating_add(1 << 16),
    }
}

/// What the thread of a download tells.
enum Event {
    /// The server has answered, and announces this size.
    Answer(Option<u64>),
    /// The next bytes.
    Piece(Vec<u8>),
    /// There are no more.
    End,
    /// The request failed.
    Refused(Box<ureq::Error>),
    /// The connection failed within the body.
    Broken(io::Error),
}

/// The body of an answer on its way here.
struct Download {
    agent: ureq::Agent,
    /// The size by the server's own word.
    announced: Option<u64>,
    events: Receiver<Event>,
    piece: Vec<u8>,
    /// How much of the piece is read.
    taken: usize,
    ended: bool,
    received: u64,
    most: u64,
    pace: Pace,
    silence: Duration,
}

impl Download {
    /// Asks for `address`, and returns when the server has answered.
    fn start(agent: ureq::Agent, address: String, most: u64, patience: &Patience) -> Result<Self, SourceError> {
        let (sender, events) = sync_channel(PIECES);
        let asked = agent.clone();
        thread::spawn(move || transfer(&asked, &address, &sender));
        let mut download = Self {
            agent,
            announced: None,
            events,
            piece: Vec::new(),
            taken: 0,
            ended: false,
            received: 0,
            most,
            pace: Pace::new(patience),
            silence: patience.silence,
        };
        // A look-up, a connection, and the answer, each of which ends by itself in most cases, and with a better reason.
        let limit = 2 * patience.connect + 2 * patience.silence;
        match download.next(limit) {
            Ok(Event::Answer(announced)) => {
                download.announced = announced;
                Ok(download)
            }
            Ok(Event::Refused(error)) => Err(SourceError::Http(error)),
            Ok(_) | Err(_) => Err(SourceError::Silent { seconds: limit.as_secs_f64() }),
        }
    }

    /// What comes next, within this time.
    fn next(&mut self, limit: Duration) -> io::Result<Event> {
        let started = Instant::now();
        loop {
            match self.events.recv_timeout(LOOK.min(limit.saturating_sub(started.elapsed()))) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(RecvTimeoutError::Timeout) => interrupt::check().map_err(io::Error::other)?,
            }
            if started.elapsed() >= limit {
                let text = format!("nothing came for {} s after {} bytes", limit.as_secs_f64(), self.received);
                return Err(io::Error::new(io::ErrorKind::TimedOut, text));
            }
        }
    }
}

impl Drop for Download {
    /// Ends the thread at once if it is still at work.
    fn drop(&mut self) {
        if !self.ended {
            self.agent.clone().shutdown();
        }
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.piece.len() && !self.ended {
            let started = Instant::now();
            match self.next(self.silence)? {
                Event::Piece(piece) => {
                    self.received += piece.len() as u64;
                    if self.received > self.most {
                        return Err(io::Error::other(format!("it goes on after {} bytes", self.most)));
                    }
                    let slow = |reason| io::Error::new(io::ErrorKind::TimedOut, reason);
                    self.pace.came(piece.len(), started).map_err(slow)?;
                    (self.piece, self.taken) = (piece, 0);
                }
                Event::End => self.ended = true,
                Event::Broken(error) => return Err(error),
                Event::Answer(_) | Event::Refused(_) => return Err(io::ErrorKind::InvalidData.into()),
            }
        }
        let count = self.piece.get(self.taken..).unwrap_or_default().read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// Asks and reads until the end, or until nobody listens.
fn transfer(agent: &ureq::Agent, address: &str, events: &SyncSender<Event>) {
    let body = match agent.get(address).call() {
        Ok(answer) => answer.into_body(),
        Err(error) => {
            // Nobody may be listening any more, here and below.
            let _ = events.send(Event::Refused(Box::new(error)));
            return;
        }
    };
    if events.send(Event::Answer(body.content_length())).is_err() {
        return;
    }
    let mut body = body.into_reader();
    loop {
        let mut piece = vec![0; PIECE];
        let event = match body.read(&mut piece) {
            Ok(0) => Event::End,
            Ok(count) => {
                piece.truncate(count);
                Event::Piece(piece)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Event::Broken(error),
        };
        let last = !matches!(event, Event::Piece(_));
        if events.send(event).is_err() || last {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;

    use ureq::unversioned::resolver::DefaultResolver;
    use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

    use super::*;

    /// Says of a plain connection that it is one over TLS, so that no certificate is needed here.
    #[derive(Debug)]
    struct Pretend;

    #[derive(Debug)]
    struct Pretended<T>(T);

    impl<T: Transport> Connector<T> for Pretend {
        type Out = Pretended<T>;

        fn connect(&self, _: &ConnectionDetails, chained: Option<T>) -> Result<Option<Pretended<T>>, ureq::Error> {
            Ok(chained.map(Pretended))
        }
    }

    impl<T: Transport> Transport for Pretended<T> {
        fn buffers(&mut self) -> &mut dyn Buffers {
            self.0.buffers()
        }

        fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
            self.0.transmit_output(amount, timeout)
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
            self.0.await_input(timeout)
        }

        fn is_open(&mut self) -> bool {
            self.0.is_open()
        }

        fn is_tls(&self) -> bool {
            true
        }
    }

    /// Answers one request after the other with these answers, and then no more.
    fn server(answers: Vec<String>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        address
    }

    fn redirect(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    }

    fn body(text: &str) -> String {
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
    }

    fn download(address: String) -> Result<String, String> {
        let patience = Patience::default();
        let connector = ().chain(TcpConnector::default()).chain(Pretend);
        let agent = ureq::Agent::with_parts(config(&address, &patience), connector, DefaultResolver::default());
        let mut download = Download::start(agent, address, 100, &patience).map_err(|error| error.to_string())?;
        let mut text = String::new();
        download.read_to_string(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }

    #[test]
    fn a_download_over_tls_is_not_redirected_to_one_without() {
        let plain = server(vec![body("forged")]);
        let secure = server(vec![redirect(&format!("http://{plain}/x"))]);
        let refused = download(format!("https://{secure}/x")).unwrap_err();
        assert!(refused.contains("configured for https only"), "{refused}");

        let home = server(vec![body("genuine")]);
        let secure = server(vec![redirect(&format!("https://{home}/x"))]);
        assert_eq!(download(format!("https://{secure}/x")), Ok("genuine".to_owned()));
        // The same way from a server without TLS leads on.
        let plain = server(vec![redirect(&format!("http://{plain}/x"))]);
        assert_eq!(download(format!("http://{plain}/x")), Ok("forged".to_owned()));
    }
}
