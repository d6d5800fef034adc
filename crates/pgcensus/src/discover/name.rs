//! What servers are called: by the directories of their data, each by a name of its own.

use std::collections::HashMap;
use std::path::Path;

use super::Server;
use crate::source::server_name;

/// `10`, `16`, `9.6`
pub(crate) fn is_version(text: &str) -> bool {
    let is_number =
        |text: &str| matches!(text.len(), 1 | 2) && text.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((major, minor)) => is_number(major) && is_number(minor),
        None => text.len() == 2 && is_number(text),
    }
}

/// The last parts of a data directory's path that name a server; a version goes with what follows it: `16/main`.
pub(super) fn of_data(data: &Path, parts: usize) -> String {
    let parts_of = |path: &Path| -> Vec<String> {
        let all = path.iter().map(|part| part.to_string_lossy().into_owned());
        all.filter(|part| part != "/").collect()
    };
    let all = parts_of(data);
    let last = server_name(&data.join("log"));
    let end = all
        .iter()
        .rposition(|part| *part == last)
        .map_or(all.len(), |at| at + 1);
    let mut begin = end.saturating_sub(parts);
    if begin > 1 && is_version(&all[begin - 1]) && all[begin - 2] == "postgresql" {
        begin -= 1;
    }
    match &all[begin..end] {
        [] => "server".to_owned(),
        parts => parts.join("/"),
    }
}

/// Gives each server a name of its own: more of its path where two have one name, and the pid where that is not enough.
pub(super) fn keep_apart(servers: &mut [Server]) {
    const PARTS_MAX: usize = 8;
    for parts in 2..=PARTS_MAX {
        for at in of_one_name(servers) {
            if servers[at].data_directory.is_some() {
                servers[at].name = servers[at].data_name(parts);
            }
        }
    }
    for at in of_one_name(servers) {
        let tail = match servers[at].pid {
            Some(pid) => format!(" (pid {pid})"),
            None => format!(" ({at})"),
        };
        servers[at].name += &tail;
    }
}

/// Those that share their name with another one.
fn of_one_name(servers: &[Server]) -> Vec<usize> {
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, server) in servers.iter().enumerate() {
        by_name.entry(&server.name).or_default().push(at);
    }
    by_name
        .into_values()
        .filter(|all| all.len() > 1)
        .flatten()
        .collect()
}
