//! The log of a real server that rotates it under load, by its size and when asked to: what is told of each file is what
//! the server wrote into it.

#[path = "../../../tests/support/postmaster.rs"]
#[expect(dead_code, reason = "shared: other tests do more with a server")]
mod postmaster;

use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use postgres::NoTls;

use super::{Told, look};
use crate::follow::{Follow, Target, Waker};
use postmaster::{Postmaster, programs_of};

/// How long the server writes.
const LOAD: Duration = Duration::from_secs(6);
/// Those who connect and leave all the time.
const CLIENTS: usize = 4;

#[test]
fn a_collector_that_rotates_is_followed_to_the_last_byte() {
    let Some(bin) = programs_of(15) else {
        return;
    };
    let settings = "log_filename = 'postgresql-%H%M%S.log'\nlog_rotation_size = 64\n\
                    log_line_prefix = '%m [%p] %q%u@%d '\nlog_statement = 'all'\n";
    let mut server = Postmaster::init(
        &bin,
        "stderr,csvlog,jsonlog",
        settings,
        "local all all trust\n",
    );
    let logs = server.data().join("log");
    let mut follow = Follow::new(
        vec![Target::Directory {
            path: logs.clone(),
            wants: Box::new(|_| true),
        }],
        None,
    );
    let (wake, woken) = mpsc::channel();
    let waker = Waker::start(&follow, Duration::ZERO, move || {
        wake.send(()).ok();
    });
    let mut told = Told::default();

    let mut observer = server.start();
    let deadline = Instant::now() + LOAD;
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            let config = server.local("postgres", "postgres", "load");
            scope.spawn(move || {
                while Instant::now() < deadline {
                    let mut client = config.connect(NoTls).expect("it takes sessions");
                    client
                        .batch_execute("SELECT 'a line\nof several'")
                        .expect("run");
                }
            });
        }
        scope.spawn(|| {
            while Instant::now() < deadline {
                observer
                    .batch_execute("SELECT pg_rotate_logfile()")
                    .expect("a superuser");
                thread::sleep(Duration::from_millis(300));
            }
        });
        while Instant::now() < deadline {
            woken
                .recv_timeout(Duration::from_secs(60))
                .expect("it writes");
            look(&mut follow, &mut told);
        }
    });
    server.stop("INT");
    drop(waker);
    look(&mut follow, &mut told);

    let mut written = BTreeMap::new();
    for entry in fs::read_dir(&logs).expect("it is there") {
        let path = entry.expect("readable").path();
        let bytes = fs::read(&path).expect("readable");
        written.insert(path, bytes);
    }
    let names = &told.paths;
    let of_path = |path| {
        names
            .iter()
            .find(|(_, p)| *p == path)
            .map(|(file, _)| file.0)
    };
    assert!(written.len() >= 9, "too few files: {}", written.len());
    for (path, bytes) in &written {
        let parts = of_path(path).map(|file| &told.files[&file]);
        assert_eq!(parts, Some(&vec![bytes.clone()]), "{}", path.display());
    }
    assert_eq!(told.files.len(), written.len());
}
