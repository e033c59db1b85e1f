//! A web server of our own.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

/// A web server on a free port; what it was asked for, in order.
pub struct Server {
    pub base: String,
    pub asked: Arc<Mutex<Vec<String>>>,
}

pub fn serve(files: &[(&str, Vec<u8>)]) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let files: HashMap<String, Vec<u8>> =
        files.iter().map(|(name, bytes)| (format!("/{name}"), bytes.clone())).collect();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let request = lines.next().unwrap_or_default();
            let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            log.lock().unwrap().push(path.clone());
            // pip reads the page of a package only if it is told that it is one.
            let kind = if path.ends_with('/') { "text/html" } else { "application/octet-stream" };
            let answer = match files.get(&path) {
                Some(bytes) => [
                    format!(
                        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                        bytes.len()
                    )
                    .into(),
                    bytes.clone(),
                ]
                .concat(),
                None => b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec(),
            };
            let _ = stream.write_all(&answer);
        }
    });
    Server { base, asked }
}
