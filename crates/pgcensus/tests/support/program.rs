//! The program as its user calls it: arguments and input in, JSON out.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What the program reads.
pub(crate) enum Input<'a> {
    /// Piped into it, named `-`.
    Piped(&'a [u8]),
    /// Files by path.
    Files(&'a [PathBuf]),
}

/// A point in time of the output, in seconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Epoch(pub(crate) f64);

/// A line of `sessions --json`, as far as the truth is known to these tests.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) pid: Option<i64>,
    pub(crate) backend_type: String,
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: Option<String>,
    pub(crate) client_host: Option<String>,
    pub(crate) client_port: Option<u16>,
    pub(crate) session_start: Option<Epoch>,
    pub(crate) authorized_at: Option<Epoch>,
    pub(crate) session_end: Option<Epoch>,
    pub(crate) session_time_ms: Option<f64>,
    pub(crate) state: String,
    pub(crate) end: Option<String>,
}

/// A line of `events --json`, likewise.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Event {
    pub(crate) at: Epoch,
    pub(crate) event: String,
    pub(crate) pid: Option<i64>,
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: Option<String>,
    pub(crate) client_host: Option<String>,
    pub(crate) client_port: Option<u16>,
    pub(crate) sqlstate: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) message: Option<String>,
    /// A refusal after its session has been told.
    #[serde(default)]
    pub(crate) takes_back: bool,
    /// Of what has come to an event that was told: its kind, the lines, and whether it still is one.
    pub(crate) amends: Option<String>,
    pub(crate) lines: Option<String>,
    pub(crate) is_event: Option<bool>,
}

impl TryFrom<String> for Epoch {
    type Error = String;

    fn try_from(text: String) -> Result<Epoch, String> {
        let at: jiff::Timestamp = text
            .parse()
            .map_err(|err| format!("{text:?} is no RFC 3339 time: {err}"))?;
        Ok(Epoch(at.as_nanosecond() as f64 / 1e9))
    }
}

impl Session {
    /// Whether it is a replication connection.
    pub(crate) fn is_walsender(&self) -> bool {
        self.backend_type == "walsender"
    }

    /// Whether it had not ended where the input does.
    pub(crate) fn is_open(&self) -> bool {
        self.state == "open"
    }

    /// Its start, or the earliest instant at which the log shows it.
    pub(crate) fn first_seen(&self) -> f64 {
        let known = self
            .session_start
            .or(self.authorized_at)
            .or(self.session_end);
        known.map_or(0.0, |at| at.0)
    }
}

/// A session in the words of a failure message.
impl std::fmt::Display for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "pid {:?} {:?}@{:?} from {:?} port {:?}, {} since {:.3}, end {:?}",
            self.pid,
            self.user,
            self.database,
            self.client_host,
            self.client_port,
            self.state,
            self.first_seen(),
            self.end
        )
    }
}

/// Calls the program and reads each line of its output as an object.
///
/// # Errors
/// In words: it failed, or printed what cannot be read.
pub(crate) fn json_lines<T: DeserializeOwned>(
    args: &[&str],
    input: &Input<'_>,
) -> Result<Vec<T>, String> {
    let output = call(args, input)?;
    let lines = output.lines().enumerate();
    lines
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|err| {
                format!("pgcensus {}: line {}: {err}: {line}", args.join(" "), i + 1)
            })
        })
        .collect()
}

/// Calls the program and reads its output as one object.
///
/// # Errors
/// As for [`json_lines`].
pub(crate) fn json_object(args: &[&str], input: &Input<'_>) -> Result<Value, String> {
    let output = call(args, input)?;
    match serde_json::from_str(&output) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(format!("pgcensus {}: not an object", args.join(" "))),
        Err(err) => Err(format!("pgcensus {}: {err}", args.join(" "))),
    }
}

fn call(args: &[&str], input: &Input<'_>) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pgcensus"));
    command
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let piped: &[u8] = match *input {
        Input::Piped(bytes) => {
            command.arg("-").stdin(Stdio::piped());
            bytes
        }
        Input::Files(files) => {
            command.args(files).stdin(Stdio::null());
            &[]
        }
    };
    let said = |err: &dyn std::fmt::Display| format!("pgcensus {}: {err}", args.join(" "));
    let mut child = command.spawn().map_err(|err| said(&err))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A program that has read enough may close its end: that is its right.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(piped)));
        child.wait_with_output()
    });
    let output = output.map_err(|err| said(&err))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(said(&format!("{}: {}", output.status, stderr.trim_end())));
    }
    String::from_utf8(output.stdout).map_err(|err| said(&err))
}
