//! A server of one file that breaks the rules, request by request, as a plan says.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Act {
    /// As HTTP says.
    Serve,
    /// Closes after this many bytes of the body.
    Cut(usize),
    /// Says nothing more after this many bytes of the body, and keeps the connection.
    Stall(usize),
    /// Says that the whole file is so long.
    Claim(u64),
    /// Serves, but with every bit of the body turned around.
    Corrupt,
    /// Answers with this number and no body.
    Status(u16),
    /// Leads to another address.
    Redirect(String),
    /// Puts another file and ETag in place, then serves.
    Change(Vec<u8>, &'static str),
    /// Sends the rest of the new file, though another version was asked for.
    ChangeUnsaid(Vec<u8>, &'static str),
    /// Serves the whole file whatever was asked for.
    Whole,
    /// Serves a part, one byte beside the one that was asked for.
    Beside,
    /// Serves without saying how long the file is; after so many bytes, it ends.
    NoLength(usize),
    /// Says that the body is packed.
    Packed,
    /// Closes before a word.
    Silent,
    /// Speaks something else.
    Noise,
}

/// A request, as far as tests ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// What stands behind `Range: `.
    pub range: Option<String>,
    /// What stands behind `If-Range: `.
    pub if_range: Option<String>,
}

/// A file on the server.
struct Site {
    file: Vec<u8>,
    etag: Option<&'static str>,
    /// For the next requests; the rest is served.
    plan: Vec<Act>,
    requests: Vec<Request>,
}

/// A server on this machine. It ends when it is dropped.
pub struct Server {
    port: u16,
    site: Arc<Mutex<Site>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `file` under any path, with an ETag or none.
    ///
    /// # Panics
    /// If the machine has no port.
    #[must_use]
    pub fn new(file: Vec<u8>, etag: Option<&'static str>, plan: Vec<Act>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let site = Arc::new(Mutex::new(Site {
            file,
            etag,
            plan,
            requests: Vec::new(),
        }));
        let done = Arc::new(AtomicBool::new(false));
        let (shared, stop) = (Arc::clone(&site), Arc::clone(&done));
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stop.load(Relaxed) {
                    return;
                }
                let (site, stop) = (Arc::clone(&shared), Arc::clone(&stop));
                // That a client goes away early is no fault of the server's.
                thread::spawn(move || drop(answer(&stream, &site, &stop)));
            }
        });
        Self {
            port,
            site,
            done,
            thread: Some(thread),
        }
    }

    /// The address of the file by a name.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }

    /// What was asked so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        let site = self.site.lock().unwrap_or_else(PoisonError::into_inner);
        site.requests.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.done.store(true, Relaxed);
        // Wakes the listener.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

fn read(stream: &TcpStream) -> std::io::Result<Request> {
    let mut request = Request::default();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            if line.is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = Some(value.to_owned()),
            "if-range" => request.if_range = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(request)
}

fn answer(mut stream: &TcpStream, site: &Mutex<Site>, stop: &AtomicBool) -> std::io::Result<()> {
    let request = read(stream)?;
    let (act, file, etag) = {
        let mut site = site.lock().unwrap_or_else(PoisonError::into_inner);
        site.requests.push(request.clone());
        let act = match site.plan.is_empty() {
            true => Act::Serve,
            false => site.plan.remove(0),
        };
        if let Act::Change(file, etag) | Act::ChangeUnsaid(file, etag) = &act {
            (site.file, site.etag) = (file.clone(), Some(*etag));
        }
        (act, site.file.clone(), site.etag)
    };
    let asked = request.range.as_deref();
    let asked: Option<usize> =
        asked.and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let same = request.if_range.is_none()
        || request.if_range.as_deref() == etag
        || matches!(act, Act::ChangeUnsaid(..));
    let from = asked.filter(|_| same && !matches!(act, Act::Whole));
    let tag = etag.map_or(String::new(), |etag| format!("ETag: {etag}\r\n"));
    match &act {
        Act::Silent => return Ok(()),
        Act::Noise => return stream.write_all(b"220 mail.example ESMTP\r\n\r\n"),
        Act::Status(status) => {
            let head =
                format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nRetry-After: 0\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
        Act::Redirect(to) => {
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
            return stream.write_all(head.as_bytes());
        }
        Act::NoLength(len) => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            return stream.write_all(&file[..*len]);
        }
        _ => {}
    }
    let mut body = match from {
        Some(from) if from >= file.len() => {
            let head = "HTTP/1.1 416 Range\r\nContent-Length: 0\r\n\r\n";
            return stream.write_all(head.as_bytes());
        }
        Some(from) => {
            let (from, last) = (
                from - usize::from(matches!(act, Act::Beside)),
                file.len() - 1,
            );
            let (len, size) = (file.len() - from, file.len());
            let head = format!(
                "HTTP/1.1 206 Part\r\nContent-Length: {len}\r\nContent-Range: bytes {from}-{last}/{size}\r\n{tag}\r\n"
            );
            stream.write_all(head.as_bytes())?;
            file[from..].to_vec()
        }
        None => {
            let len = match act {
                Act::Claim(len) => len,
                _ => file.len() as u64,
            };
            let packed = match act {
                Act::Packed => "Content-Encoding: gzip\r\n",
                _ => "",
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n{packed}{tag}\r\n");
            stream.write_all(head.as_bytes())?;
            file
        }
    };
    match act {
        Act::Corrupt => body.iter_mut().for_each(|byte| *byte = !*byte),
        Act::Cut(len) | Act::Stall(len) => body.truncate(len),
        _ => {}
    }
    stream.write_all(&body)?;
    while matches!(act, Act::Stall(_)) && !stop.load(Relaxed) {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
