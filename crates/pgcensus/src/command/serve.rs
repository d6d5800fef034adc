//! `serve`: the same numbers over HTTP, and events as they happen, until Ctrl+C or SIGTERM.
//!
//! ```text
//! this thread: the engine reads what is there, follows it ─events─► Hub ─┐
//! web: a thread with its own runtime ◄───────────────────────────────────┴─► readers
//!        └─ a request: the log is read for it, as on the command line (`command::answer`)
//! ```

mod engine;

use std::io::{self, Read as _, Write};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use jiff::tz::TimeZone;
use pgcensus_core::filter::Filter;
use pgcensus_core::zone::{DisplayZone, LogClock, display_zone};

use super::input::{ends, input_request, time_zone};
use super::streams::Streams;
use super::top::kept::Kept;
use super::{default_threads, find_servers, some_server_counts, textfile};
use crate::cli::{Args, InputArgs, ServeArgs, ServerArg, key_to_blame};
use crate::discover::Choice;
use crate::interrupt::Interrupt;
use crate::pipeline::{self, Run};
use crate::source::file::Kind;
use crate::source::input::Reading;
use crate::source::{Plan, Problem, Readable, Request, Stdin};
use crate::view::text::shown;
use crate::web::health::Health;
use crate::web::scrapes::Scrapes;
use crate::web::stream::Hub;
use crate::web::token::Token;
use crate::web::{self, Guard, Site, Stop, Tls, host_of, host_of_name, is_loopback};
use engine::Engine;

/// Where it listens, if nobody says otherwise.
const LISTEN: &str = "127.0.0.1:8432";

/// Runs until it is ended.
pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::listen_to_end().context("signals")?;
    let reading = Reading::new(&interrupt);
    let settled = |args: &Args| Settled::of(args, reading.clone());
    let Some(path) = &args.serve.config else {
        return serve(args, settled(args)?, &interrupt);
    };
    let text = read_config(path).with_context(|| format!("--config {}", path.display()))?;
    let whole = args.with_config(&text);
    let whole = whole.map_err(|message| anyhow::anyhow!("{}: {message}", path.display()))?;
    let settled = settled(&whole).map_err(|err| {
        let message = format!("{err:#}");
        let says_so = |alone: &Args| {
            settled(alone)
                .err()
                .is_some_and(|err| format!("{err:#}") == message)
        };
        match key_to_blame(&text, says_so) {
            Some(key) => err.context(format!("{}: {key}", path.display())),
            None => err,
        }
    })?;
    if !args.serve.check_config {
        return serve(&whole, settled, &interrupt);
    }
    let mut request = settled.request;
    // Not to be waited for, and servers of this machine are not looked for.
    Stdin::none().take_of(&mut request);
    let mut out = io::stdout().lock();
    if !request.is_empty() {
        let Some(plan) = plan(&request, Vec::new()) else {
            return Ok(ExitCode::from(2));
        };
        tell_inputs(&mut out, &plan, false)?;
    }
    writeln!(out, "{}: ok", path.display())?;
    Ok(ExitCode::SUCCESS)
}

/// A larger file is none that somebody wrote.
const CONFIG_BYTES_MAX: u64 = 1 << 20;

fn read_config(path: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let file = std::fs::File::open(path)?;
    file.take(CONFIG_BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > CONFIG_BYTES_MAX {
        bail!("more than 1 MiB");
    }
    Ok(text)
}

/// What a command line comes to before anything of a log is read.
struct Settled {
    filter: Filter,
    log_timezone: Option<TimeZone>,
    timezone: Option<TimeZone>,
    address: SocketAddr,
    token: Option<Token>,
    tls: Option<Tls>,
    request: Request,
}

impl Settled {
    fn of(args: &Args, reading: Arc<Reading>) -> anyhow::Result<Settled> {
        let zone_of = |flag, name: &Option<String>| {
            let name = name.as_deref();
            name.map(|name| time_zone(flag, name)).transpose()
        };
        let filter = args.filter()?;
        let log_timezone = zone_of("--log-timezone", &args.input.log_timezone)?;
        let timezone = zone_of("--timezone", &args.show.timezone)?;
        let (address, token, tls) = place(&args.serve)?;
        let mut request = input_request(&args.input, reading)?;
        request.follows = true;
        if let Some(path) = &args.show.textfile {
            textfile::has_directory(path)?;
        }
        Ok(Settled {
            filter,
            log_timezone,
            timezone,
            address,
            token,
            tls,
            request,
        })
    }
}

/// What is read; what cannot be is said. None: there is nothing, and nothing may come.
fn plan(request: &Request, problems: Vec<String>) -> Option<Plan> {
    let mut plan = Plan::of(request, Stdin::none());
    plan.add_problems(problems);
    for problem in plan.problems.iter().map(Problem::to_string) {
        writeln!(io::stderr(), "pgcensus: {problem}").ok();
    }
    (!matches!(plan.readable(), Readable::None) || plan.may_come()).then_some(plan)
}

fn serve(args: &Args, settled: Settled, interrupt: &Interrupt) -> anyhow::Result<ExitCode> {
    let Settled {
        filter,
        log_timezone,
        timezone,
        address,
        token,
        tls,
        mut request,
    } = settled;
    let reading = request.reading.clone();
    let mut stdin = Stdin::of_process(&reading).context("standard input")?;
    let kept = keep(&mut stdin, &mut request)?;
    let choice = if kept.is_some() {
        Choice::default()
    } else {
        find_servers(&mut request, &stdin, args.show.quiet, &Streams::Process)
    };
    let Some(plan) = plan(&request, choice.problems) else {
        return Ok(ExitCode::from(2));
    };
    let files = plan.servers.iter().flat_map(|server| &server.files);
    for log in files {
        if matches!(log.kind, Kind::Stream(_)) {
            bail!(
                "{}: serve reads its input more than once, which cannot be done with this; pipe it in (… | pgcensus serve -)",
                log.display
            );
        }
    }
    let servers: Vec<_> = plan
        .servers
        .iter()
        .map(|server| server.name.clone())
        .collect();
    if !plan.may_come() {
        some_server_counts(&filter, &servers)?;
    }

    let listener = web::listen(address).with_context(|| format!("--listen {address}"))?;
    let address = listener.local_addr().context("--listen")?;
    let is_tls = tls.is_some();
    let hub = Arc::new(Hub::new());
    let health = Arc::new(Health::reads(reading.clone(), plan.size()));
    let scrapes = Arc::new(Scrapes::default());
    let site = Site {
        args: base(args, kept.as_ref().map(|kept| &*kept.path)),
        stdin: kept.as_ref().map(|kept| kept.path.clone()),
        guard: Guard::new(address, &args.serve.allow_host, token),
        hub: hub.clone(),
        health: health.clone(),
        scrapes: scrapes.clone(),
    };
    tell(address, is_tls, &plan, kept.is_some())?;

    let zone = display(&plan, timezone, log_timezone.clone())?;
    let threads = args.input.threads;
    let chunk_size = args.input.chunk_size;
    let run = Run {
        servers: &plan.servers,
        log_timezone,
        threads: threads.map_or_else(default_threads, std::num::NonZero::get),
        chunk_size: chunk_size.map_or(pipeline::CHUNK_SIZE, std::num::NonZero::get),
        filter,
        reading,
    };
    let stop = Stop::new();
    let engine = Engine::new(&zone, hub, health, scrapes, kept.as_ref());
    let engine = engine.with_connections_max(choice.connections_max);
    let mut engine = engine.with_textfile(args.show.textfile.as_deref());
    thread::scope(|scope| {
        let web = scope.spawn(|| web::run(listener, tls, site, &stop));
        let is_up = || !web.is_finished();
        let followed = engine.run(run, &plan, &request, interrupt, is_up);
        stop.stop();
        let served = web.join();
        followed?;
        match served {
            Ok(served) => served.context("the network"),
            Err(_) => bail!("the network: its thread has panicked"),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Where it listens, what a request must carry, and how it is encrypted.
fn place(serve: &ServeArgs) -> anyhow::Result<(SocketAddr, Option<Token>, Option<Tls>)> {
    let text = serve.listen.as_deref().unwrap_or(LISTEN);
    let context = || format!("--listen '{text}'");
    let mut addresses = text
        .to_socket_addrs()
        .map_err(|err| anyhow::anyhow!("not ADDRESS:PORT, such as {LISTEN} or [::1]:8432 ({err})"))
        .with_context(context)?;
    let address = addresses.next().context("no such address");
    let address = address.with_context(context)?;
    let token = Token::read(serve.token_file.as_deref())?;
    if token.is_none() && !is_loopback(address.ip()) {
        bail!(
            "--listen '{text}': others reach this address, so requests must carry a token: --token-file FILE, or \
             PGCENSUS_TOKEN in the environment (openssl rand -hex 32 makes one)"
        );
    }
    for name in &serve.allow_host {
        if host_of_name(name).is_none() {
            bail!(
                "--allow-host '{name}': a name or an address alone, such as db1.example.com, without scheme, port and wildcard"
            );
        }
    }
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(certificates), Some(key)) => Some(Tls::read(certificates, key)?),
        _ => None,
    };
    Ok((address, token, tls))
}

/// Keeps standard input in a file, where it is asked for: it is read more than once.
fn keep(stdin: &mut Stdin, request: &mut Request) -> anyhow::Result<Option<Kept>> {
    let Some((name, reader)) = stdin.take_of(request) else {
        return Ok(None);
    };
    let kept = Kept::of(reader)?;
    let name = name.unwrap_or_else(|| "stdin".to_owned());
    request.servers.push((name, kept.path.clone()));
    Ok(Some(kept))
}

/// The command line of which requests are variations: standard input is the file in which it is kept.
fn base(args: &Args, stdin: Option<&Path>) -> Args {
    let mut input: InputArgs = args.input.clone();
    if let Some(path) = stdin {
        let dash = Path::new("-");
        let is_dash = |server: &ServerArg| server.path.as_deref() == Some(dash);
        let named = input.servers.iter().find(|server| is_dash(server));
        let name = named.map_or_else(|| "stdin".to_owned(), |server| server.name.clone());
        input.servers.retain(|server| !is_dash(server));
        input.inputs.retain(|path| path != dash);
        input.servers.push(ServerArg {
            name,
            path: Some(path.to_owned()),
        });
    }
    args.for_requests(input)
}

/// Says where it listens and what it reads.
fn tell(address: SocketAddr, is_tls: bool, plan: &Plan, is_piped: bool) -> anyhow::Result<()> {
    let scheme = if is_tls { "https" } else { "http" };
    let (host, port) = (host_of(address.ip()), address.port());
    let mut out = io::stdout().lock();
    writeln!(out, "pgcensus: {scheme}://{host}:{port}/")?;
    tell_inputs(&mut out, plan, is_piped)?;
    out.flush()?;
    Ok(())
}

fn tell_inputs(out: &mut impl Write, plan: &Plan, is_piped: bool) -> io::Result<()> {
    for server in &plan.servers {
        let name = shown(server.name.as_bytes());
        match &server.files[..] {
            _ if is_piped => writeln!(out, "reads {name}: standard input")?,
            [log] => writeln!(out, "reads {name}: {}", shown(log.display.as_bytes()))?,
            logs => writeln!(out, "reads {name}: {} files", logs.len())?,
        }
    }
    for path in &plan.awaited {
        let path = path.display().to_string();
        writeln!(out, "waits for {}", shown(path.as_bytes()))?;
    }
    Ok(())
}

/// The zone of the times of events: what is asked for, else that of the log.
fn display(
    plan: &Plan,
    timezone: Option<TimeZone>,
    log_timezone: Option<TimeZone>,
) -> anyhow::Result<DisplayZone> {
    if let Some(zone) = timezone.or_else(|| log_timezone.clone()) {
        return Ok(DisplayZone::Zone(zone));
    }
    let mut clock = LogClock::new(log_timezone);
    let (first, last) = ends(plan, &mut clock, None)?;
    let first = first.unwrap_or_default();
    Ok(display_zone(clock.log_zone(), first, last.unwrap_or(first)))
}

/// Waits a little where there is nothing to follow.
pub(super) const IDLE: Duration = Duration::from_millis(200);
