//! `pgcensus serve` while it runs, and a client that sends what it is told to.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// How long an answer may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// It, and where it listens.
pub(crate) struct Serve {
    pub(crate) child: Child,
    /// `127.0.0.1:40123`
    pub(crate) address: String,
    /// The lines of stderr.
    pub(crate) notes: Mutex<Receiver<String>>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// In lower case, in the order in which they came.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Serve {
    /// Serves an input.
    pub(crate) fn start(args: &[&str], input: &Path) -> Serve {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
        command.arg("serve").args(args).arg(input);
        command.stdin(Stdio::null());
        Serve::of(command)
    }

    pub(crate) fn of(mut command: Command) -> Serve {
        command.args(["--listen", "127.0.0.1:0"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let (send, notes) = channel();
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            stderr
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| send.send(line))
        });
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        stdout.read_line(&mut line).expect("it says where it is");
        let address = line.trim_end().strip_suffix('/').and_then(|url| {
            let (_, address) = url.split_once("://")?;
            Some(address.to_owned())
        });
        let address = address.unwrap_or_else(|| {
            let said: Vec<_> = notes.iter().collect();
            panic!("it says {line:?}; stderr: {said:?}")
        });
        std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
        Serve {
            child,
            address,
            notes: Mutex::new(notes),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        stream.set_write_timeout(Some(PATIENCE)).expect("a socket");
        stream
    }

    /// A whole answer.
    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, "")
    }

    /// With more headers, each with its line break.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Reply {
        let host = &self.address;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n");
        let raw = self.send(request.as_bytes());
        Reply::of(&raw).unwrap_or_else(|| panic!("{path}: {}", String::from_utf8_lossy(&raw)))
    }

    /// What comes back until the connection ends.
    pub(crate) fn send(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = self.connect();
        // It may have been closed after a part that was enough.
        stream.write_all(bytes).ok();
        let mut raw = Vec::new();
        stream.read_to_end(&mut raw).ok();
        raw
    }

    /// A signal, and how it ended.
    pub(crate) fn end(mut self, signal: &str) -> ExitStatus {
        let kill = format!("kill -s {signal} {}", self.child.id());
        let killed = Command::new("sh").args(["-c", &kill]).status();
        assert!(killed.expect("a shell").success());
        self.child.wait().expect("a child")
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Reply {
    pub(crate) fn of(raw: &[u8]) -> Option<Reply> {
        let at = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&raw[..at]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?;
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap_or((line, ""));
            (name.to_lowercase(), value.to_owned())
        });
        let mut reply = Reply {
            status: status.parse().ok()?,
            headers: headers.collect(),
            body: raw[at + 4..].to_vec(),
        };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = unchunked(&reply.body)?;
        }
        Some(reply)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(known, _)| known == name);
        header.map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// `None`: it was cut off.
fn unchunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let at = body.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&body[..at]).ok()?, 16).ok()?;
        body = &body[at + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(body.get(..size)?);
        body = body.get(size + 2..)?;
    }
}

/// Events that are listened to.
pub(crate) struct Listener {
    lines: BufReader<Unchunked>,
}

/// The body of an answer that comes in chunks.
struct Unchunked {
    raw: BufReader<TcpStream>,
    /// Of a chunk, still to come.
    left: usize,
}

impl Read for Unchunked {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut size = String::new();
            self.raw.read_line(&mut size)?;
            self.left = usize::from_str_radix(size.trim_end(), 16).map_err(io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let room = buf.len().min(self.left);
        let n = self.raw.read(&mut buf[..room])?;
        self.left -= n;
        if self.left == 0 {
            let mut end = [0; 2];
            self.raw.read_exact(&mut end)?;
        }
        Ok(n)
    }
}

/// What came.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) id: Option<u64>,
    pub(crate) event: Option<String>,
    pub(crate) data: String,
}

impl Listener {
    /// `path` with its parameters; more headers, each with its line break.
    pub(crate) fn begin(serve: &Serve, path: &str, headers: &str) -> Listener {
        let mut stream = serve.connect();
        let host = &serve.address;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).expect("it listens");
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(lines.read_line(&mut head).expect("a head"), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let body = Unchunked {
            raw: lines,
            left: 0,
        };
        Listener {
            lines: BufReader::new(body),
        }
    }

    /// The next line; `None`: there are no more.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let n = self.lines.read_line(&mut line).expect("it is not cut off");
        line.pop();
        (n > 0).then_some(line)
    }

    /// What comes next; `None`: the stream has ended.
    pub(crate) fn next(&mut self) -> Option<Sent> {
        let mut sent = Sent::default();
        let mut is_something = false;
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                _ if line.is_empty() && is_something => return Some(sent),
                Some(("id", id)) => sent.id = Some(id.parse().expect("a number")),
                Some(("event", event)) => sent.event = Some(event.to_owned()),
                Some(("data", data)) => data.clone_into(&mut sent.data),
                _ => continue,
            }
            is_something = true;
        }
    }

    /// The next event of a log.
    pub(crate) fn event(&mut self) -> Sent {
        loop {
            let sent = self.next().expect("the stream goes on");
            if sent.event.is_none() {
                return sent;
            }
        }
    }
}
