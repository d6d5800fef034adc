//! A client that can do what no library does: come from any address of the machine, leave without a
//! word, stop at the password.
//!
//! Who connects to an address of the loopback interface comes from that address, so a host is chosen by
//! connecting to it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

use crate::server::{Server, until};

/// How long the server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The names that a session has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Who {
    /// Empty: none is told.
    pub(super) application: String,
    pub(super) user: String,
    pub(super) database: String,
    /// An address, or `[local]`.
    pub(super) host: String,
}

/// A session that the server has opened.
pub(super) struct Client {
    stream: Box<dyn Stream>,
    /// Of its backend.
    pub(super) pid: i32,
}

/// What an attempt came to.
pub(super) enum Answer {
    Session(Client),
    /// With this SQLSTATE; none where the server said nothing.
    Refused(Option<String>),
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As clients should.
    Terminate,
    /// The connection is reset: what was answered is never read.
    Reset,
}

trait Stream: Read + Write {
    /// Says that nothing more will come.
    fn hang_up(&self) -> io::Result<()>;
}

impl Stream for TcpStream {
    fn hang_up(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Stream for UnixStream {
    fn hang_up(&self) -> io::Result<()> {
        self.shutdown(Shutdown::Write)
    }
}

impl Client {
    /// Asks for a session.
    ///
    /// # Errors
    /// When the server cannot be reached, or says what is not understood here.
    pub(super) fn connect(server: &Server, who: &Who, password: &str) -> Result<Answer> {
        let mut stream = begin(server, who)?;
        let mut scram = None;
        let mut pid = 0;
        loop {
            let Some((kind, body)) = receive(&mut stream)? else {
                return Ok(Answer::Refused(None));
            };
            match kind {
                b'R' => authenticate(&mut stream, &body, password, &mut scram)?,
                b'K' => pid = i32::from_be_bytes(body[..4].try_into()?),
                b'Z' => return Ok(Answer::Session(Client { stream, pid })),
                b'E' => {
                    ends(&mut stream)?;
                    return Ok(Answer::Refused(Some(sqlstate(&body)?)));
                }
                b'S' | b'N' => {}
                _ => bail!("message {:?} of the server", char::from(kind)),
            }
        }
    }

    /// Asks for a session and leaves at the first answer, as `pg_isready` does.
    ///
    /// # Errors
    /// When the server cannot be reached or does not ask for a password.
    pub(super) fn probe(server: &Server, who: &Who) -> Result<()> {
        let mut stream = begin(server, who)?;
        let answer = receive(&mut stream)?;
        ensure!(
            answer.is_some_and(|(kind, body)| kind == b'R' && body[..4] != [0; 4]),
            "{who:?} is not asked for a password"
        );
        stream.hang_up()?;
        ends(&mut stream)
    }

    /// Runs SQL that gives no rows.
    ///
    /// # Errors
    /// When it fails.
    pub(super) fn query(&mut self, sql: &str) -> Result<()> {
        send(&mut self.stream, b'Q', format!("{sql}\0").as_bytes())?;
        loop {
            match receive(&mut self.stream)?.context("the session is over")? {
                (b'Z', _) => return Ok(()),
                (b'E', body) => bail!("{sql}: {}", String::from_utf8_lossy(&body)),
                _ => {}
            }
        }
    }

    /// Leaves, and waits until the backend is gone.
    ///
    /// # Errors
    /// When it stays.
    pub(super) fn leave(mut self, how: End) -> Result<()> {
        match how {
            End::Terminate => {
                send(&mut self.stream, b'X', &[])?;
                ends(&mut self.stream)
            }
            End::Reset => {
                send(&mut self.stream, b'Q', b"SELECT 1\0")?;
                // The answer is there; it is not taken.
                self.stream.read_exact(&mut [0])?;
                std::thread::sleep(Duration::from_millis(5));
                let backend = format!("/proc/{}", self.pid);
                drop(self.stream);
                until("the backend has missed its client", || {
                    !std::path::Path::new(&backend).exists()
                })
            }
        }
    }
}

/// Connects and says who it is.
fn begin(server: &Server, who: &Who) -> Result<Box<dyn Stream>> {
    let mut stream: Box<dyn Stream> = if who.host == "[local]" {
        let socket = server
            .socket_dir()
            .join(format!(".s.PGSQL.{}", server.port()));
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Box::new(stream)
    } else {
        let stream = TcpStream::connect((&*who.host, server.port()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Box::new(stream)
    };
    let mut startup = 196_608_i32.to_be_bytes().to_vec();
    let names = [
        ("user", &who.user),
        ("database", &who.database),
        ("application_name", &who.application),
    ];
    for (name, value) in names.into_iter().filter(|(_, value)| !value.is_empty()) {
        startup.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    startup.push(0);
    stream.write_all(&(startup.len() as u32 + 4).to_be_bytes())?;
    stream.write_all(&startup)?;
    Ok(stream)
}

/// Answers a request for authentication.
fn authenticate(
    stream: &mut Box<dyn Stream>,
    body: &[u8],
    password: &str,
    scram: &mut Option<ScramSha256>,
) -> Result<()> {
    let (kind, data) = body.split_at(4);
    match u32::from_be_bytes(kind.try_into()?) {
        0 => Ok(()),
        3 => send(stream, b'p', format!("{password}\0").as_bytes()),
        10 => {
            let begun = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
            let mut answer = b"SCRAM-SHA-256\0".to_vec();
            answer.extend_from_slice(&(begun.message().len() as u32).to_be_bytes());
            answer.extend_from_slice(begun.message());
            *scram = Some(begun);
            send(stream, b'p', &answer)
        }
        11 => {
            let scram = scram.as_mut().context("SCRAM goes on before it began")?;
            scram.update(data)?;
            send(stream, b'p', scram.message())
        }
        12 => {
            let scram = scram.as_mut().context("SCRAM ends before it began")?;
            Ok(scram.finish(data)?)
        }
        method => bail!("authentication {method}"),
    }
}

fn send(stream: &mut Box<dyn Stream>, kind: u8, body: &[u8]) -> Result<()> {
    let mut message = vec![kind];
    message.extend_from_slice(&(body.len() as u32 + 4).to_be_bytes());
    message.extend_from_slice(body);
    Ok(stream.write_all(&message)?)
}

/// The next message; none where the server has closed the connection.
fn receive(stream: &mut Box<dyn Stream>) -> Result<Option<(u8, Vec<u8>)>> {
    let mut head = [0; 5];
    match stream.read_exact(&mut head) {
        Err(err) if is_end(&err) => return Ok(None),
        read => read?,
    }
    let length = u32::from_be_bytes(head[1..].try_into()?);
    let mut body = vec![0; length.checked_sub(4).context("a length below its own")? as usize];
    stream.read_exact(&mut body)?;
    Ok(Some((head[0], body)))
}

/// Waits until the server has closed the connection: its backend has written its last line.
fn ends(stream: &mut Box<dyn Stream>) -> Result<()> {
    match io::copy(stream, &mut io::sink()) {
        Err(err) if is_end(&err) => Ok(()),
        copied => copied.map(drop).context("the server does not hang up"),
    }
}

fn is_end(err: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(err.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// The field `C` of an error.
fn sqlstate(fields: &[u8]) -> Result<String> {
    let mut fields = fields.split(|&b| b == 0);
    let code = fields.find_map(|field| field.strip_prefix(b"C"));
    Ok(String::from_utf8(code.context("an SQLSTATE")?.to_vec())?)
}
