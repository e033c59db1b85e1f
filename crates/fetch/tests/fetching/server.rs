//! A web server of our own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A web server on a free port; what it was asked for, in order.
pub struct Server {
    pub base: String,
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// Serves these files, and nothing else.
pub fn serve(files: &[(&str, Vec<u8>)]) -> Server {
    let files: HashMap<String, Vec<u8>> =
        files.iter().map(|(name, bytes)| (format!("/{name}"), bytes.clone())).collect();
    serve_by(move |path, stream| {
        // pip reads the page of a package only if it is told that it is one.
        let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
        let answer = match files.get(path) {
            Some(bytes) => [head(kind, bytes.len()), bytes.clone()].concat(),
            None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
        };
        let _ = stream.write_all(&answer);
    })
}

/// The head of an answer with a body of so many bytes.
pub fn head(kind: &str, bytes: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {bytes}\r\nConnection: close\r\n\r\n").into()
}

/// Answers each request for a path as it likes, on a thread of its own. The connection ends with the answer.
pub fn serve_by(answer: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (log, answer) = (Arc::clone(&asked), Arc::new(answer));
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log, answer) = (stream.unwrap(), Arc::clone(&log), Arc::clone(&answer));
            thread::spawn(move || {
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                let request = lines.next().unwrap_or_default();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                lines.take_while(|line| !line.is_empty()).for_each(drop);
                log.lock().unwrap().push(path.clone());
                answer(&path, &mut stream);
            });
        }
    });
    Server { base, asked }
}
