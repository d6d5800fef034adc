//! The logs that are measured, made from what a real server wrote under two loads.
//!
//! `busy`: the standard script of `pgbench`, every statement with its duration, about one line of a
//! hundred about a connection. `connections`: `pgbench -C`, a connection for each transaction and nothing else
//! in the log. Both are recorded for half a minute, then repeated ([`super::repeat`]) up to
//! their size. What is there from an earlier run is taken again.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::grown;
use super::repeat::{self, Shift, Survey};
use super::server::{self, Clients, PASSWORD, Stretch};
use crate::server::{Format, Server};
use crate::{said, servers};

/// Part of each recipe, to be counted up when the load, the clients or the settings change: what was made before
/// is made anew.
const VERSION: u32 = 2;

/// How long the server is under load.
const LOAD: Duration = Duration::from_secs(30);

/// Buffers of files: small, since the peak memory of whoever starts a program is where that of the program
/// begins to be counted.
pub(super) const BUFFER_BYTES: usize = 1 << 18;

/// What the server does while it writes a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Load {
    /// Statements and their durations; one line of a hundred is about a connection.
    Busy,
    /// Connections that select once, which is not logged.
    Connections,
}

/// A log in the size that was asked for.
#[derive(Clone)]
pub(super) struct Log {
    /// `busy, stderr`
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) format: Format,
    pub(super) bytes: u64,
    pub(super) copies: u32,
    /// What the stretch holds that is repeated in it.
    pub(super) stretch: Survey,
}

/// Where logs are kept, and what they are made of.
pub(super) struct Logs {
    dir: PathBuf,
    real: PathBuf,
}

impl Load {
    pub(super) fn name(self) -> &'static str {
        match self {
            Load::Busy => "busy",
            Load::Connections => "connections",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Load::Busy => "log_min_duration_statement = 0",
            Load::Connections => "",
        }
    }

    fn run(self, server: &Server) -> Result<()> {
        let deadline = Instant::now() + LOAD;
        for (n, clients) in CLIENTS.iter().cycle().enumerate() {
            if Instant::now() > deadline {
                break;
            }
            let mut pgbench = server::pgbench(server, *clients)?;
            pgbench.args(["--no-vacuum", "--jobs=2", "--client=8"]);
            match self {
                // Of seven statements each: 8 × 64 × 7 lines, and 4 lines for each of the 8 sessions and
                // that in which pgbench looks around.
                Load::Busy => pgbench.arg("--transactions=64"),
                Load::Connections => pgbench.args(["--connect", "--select-only", "--time=2"]),
            };
            said(&mut pgbench)?;
            if n % 4 == 3 {
                let stranger = if n % 8 == 3 {
                    Clients {
                        user: "intruder",
                        ..*clients
                    }
                } else {
                    Clients {
                        database: "shop_old",
                        ..*clients
                    }
                };
                let refused = said(&mut server::pgbench(server, stranger)?).is_err();
                ensure!(refused, "there is a user or a database that nobody made");
            }
        }
        Ok(())
    }
}

/// Who connects, one after another.
const CLIENTS: [Clients; 6] = {
    const fn clients(
        user: &'static str,
        database: &'static str,
        application_name: &'static str,
        tcp: bool,
    ) -> Clients {
        Clients {
            user,
            database,
            application_name,
            tcp,
        }
    }
    [
        clients("web", "shop", "web-frontend", true),
        clients("web", "shop", "checkout", true),
        clients("worker", "billing", "invoice-worker", true),
        clients("report", "shop", "Nightly Report", false),
        clients("web", "inventory", "stock-api", true),
        clients("worker", "inventory", "", false),
    ]
};

impl Logs {
    /// Logs in this directory, of what is recorded in that one.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub(super) fn new(dir: PathBuf, real: PathBuf) -> Result<Logs> {
        std::fs::create_dir_all(&dir)?;
        std::fs::create_dir_all(&real)?;
        Ok(Logs { dir, real })
    }

    /// The log of this load in this format, of at least so many bytes.
    ///
    /// # Errors
    /// When it cannot be recorded or written.
    pub(super) fn log(&self, load: Load, format: Format, bytes: u64) -> Result<Log> {
        let name = format!("{}.{}", load.name(), format.extension());
        let path = self.dir.join(name);
        let stretch = self.survey(load, format)?;
        let copies = stretch.copies(bytes);
        made_once(&path, &stretch.recipe(copies), |path| {
            self.repeat(load, format, copies, path, |_| {})
        })?;
        Ok(Log {
            name: format!("{}, {}", load.name(), format.name()),
            bytes: path.metadata()?.len(),
            path,
            format,
            copies,
            stretch,
        })
    }

    /// Writes the start of the server and so many copies of what it wrote under this load, each line after
    /// `edit` has had it; one that it empties is left out.
    ///
    /// # Errors
    /// When that cannot be read or written.
    pub(super) fn repeat(
        &self,
        load: Load,
        format: Format,
        copies: u32,
        path: &Path,
        mut edit: impl FnMut(&mut Vec<u8>),
    ) -> Result<()> {
        let step = self.survey(load, format)?.step;
        let mut out = create(path)?;
        io::copy(&mut self.real_file(load, "start", format)?, &mut out)?;
        let mut shifted = Vec::new();
        for copy in 0..copies {
            let mut shift = Shift::new(format, step, copy);
            repeat::each_line(&mut self.real_file(load, "stretch", format)?, |line| {
                shifted.clear();
                shift.line(line, &mut shifted);
                edit(&mut shifted);
                out.write_all(&shifted)
            })?;
        }
        out.flush()?;
        // What is still to be written to the disk would be written while we measure.
        Ok(out.get_ref().sync_all()?)
    }

    /// What the server wrote under this load, recorded now if it was not before.
    fn survey(&self, load: Load, format: Format) -> Result<Survey> {
        let dir = self.real.join(load.name());
        let recipe = format!("{LOAD:?} {}", load.settings());
        made_once(&dir, &recipe, |dir| {
            std::fs::create_dir(dir)?;
            println!("xtask: recording a log: {}, {LOAD:?}", load.name());
            let server = server::start(&servers::find_or_install_one()?.bin, load.settings())?;
            let stretches = server::record(&server, prepare, |server| load.run(server))?;
            for (format, stretch) in Format::ALL.into_iter().zip(stretches) {
                let Stretch {
                    path,
                    start_end,
                    load,
                } = stretch;
                let mut log = File::open(path)?;
                let file = |name: &str| create(&dir.join(name).with_extension(format.extension()));
                io::copy(&mut (&log).take(start_end), &mut file("start")?)?;
                log.seek(SeekFrom::Start(load.start))?;
                io::copy(&mut log.take(load.end - load.start), &mut file("stretch")?)?;
            }
            Ok(())
        })?;
        let found = repeat::survey(format, self.real_file(load, "stretch", format)?)?;
        ensure!(
            found.sessions > 0 && found.authorized - found.sessions <= found.refused,
            "{}: {} sessions begin and {} end in it",
            dir.display(),
            found.authorized,
            found.sessions
        );
        Ok(found)
    }

    fn real_file(&self, load: Load, name: &str, format: Format) -> Result<BufReader<File>> {
        let path = self.real.join(load.name()).join(name);
        let path = path.with_extension(format.extension());
        let file = File::open(&path).with_context(|| path.display().to_string())?;
        Ok(BufReader::with_capacity(BUFFER_BYTES, file))
    }
}

impl Log {
    /// Its first bytes, up to the end of a line.
    ///
    /// # Errors
    /// When that cannot be written.
    pub(super) fn part(&self, bytes: u64) -> Result<PathBuf> {
        let path = self
            .path
            .with_extension(format!("{bytes}.{}", self.format.extension()));
        let recipe = format!("{bytes} bytes of {}", self.stretch.recipe(self.copies));
        made_once(&path, &recipe, |path| grown::part(self, path, bytes))?;
        Ok(path)
    }

    /// It, compressed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn compressed(&self) -> Result<[PathBuf; 2]> {
        let recipe = self.stretch.recipe(self.copies);
        let extension = self.format.extension();
        let gzip = self.path.with_extension(format!("{extension}.gz"));
        made_once(&gzip, &recipe, |path| {
            let level = flate2::Compression::default();
            let mut out = flate2::write::GzEncoder::new(create(path)?, level);
            io::copy(&mut File::open(&self.path)?, &mut out)?;
            Ok(out.finish()?.flush()?)
        })?;
        let zstd = self.path.with_extension(format!("{extension}.zst"));
        made_once(&zstd, &recipe, |path| {
            let mut out = zstd::Encoder::new(create(path)?, zstd::DEFAULT_COMPRESSION_LEVEL)?;
            io::copy(&mut File::open(&self.path)?, &mut out)?;
            Ok(out.finish()?.flush()?)
        })?;
        Ok([gzip, zstd])
    }
}

/// The databases and users of [`CLIENTS`].
fn prepare(server: &Server) -> Result<()> {
    for user in ["web", "worker", "report"] {
        let role = format!("CREATE ROLE {user} LOGIN SUPERUSER PASSWORD '{PASSWORD}'");
        server.psql("postgres", &role)?;
    }
    for database in ["shop", "billing", "inventory"] {
        server.psql("postgres", &format!("CREATE DATABASE {database}"))?;
        let tables = Clients {
            user: "postgres",
            database,
            application_name: "",
            tcp: false,
        };
        said(server::pgbench(server, tables)?.args(["--initialize", "--quiet", "--scale=8"]))?;
    }
    Ok(())
}

pub(super) fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
}

/// Makes `path` unless it was made by this recipe; which it was is noted beside it. It is made under another
/// name, so whoever reads an earlier one goes on reading that.
fn made_once(path: &Path, recipe: &str, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let beside = |suffix| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let note = beside(".recipe");
    let recipe = format!("{VERSION} {recipe}\n");
    if path.exists() && std::fs::read_to_string(&note).is_ok_and(|made| made == recipe) {
        return Ok(());
    }
    let start = Instant::now();
    let new = beside(".new");
    remove(&new)?;
    make(&new).with_context(|| path.display().to_string())?;
    remove(&note)?;
    remove(path)?;
    std::fs::rename(new, path)?;
    std::fs::write(&note, recipe)?;
    println!(
        "xtask: {}: {:.1} s",
        path.display(),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Removes a file or a directory, if it is there.
fn remove(path: &Path) -> Result<()> {
    if path.is_dir() {
        std::fs::remove_dir_all(path)?;
    } else if path.exists() {
        std::fs::remove_file(path)?;
    }
    Ok(())
}
