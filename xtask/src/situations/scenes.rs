//! Every situation: what a log of it must make one say, and of which nothing may be said.

mod crowds;
mod guessing;
mod lasting;
mod limits;
mod quality;

use super::client::Who;
use super::plan::{HOUR, MINUTE, Plan, password, who};
use super::{Format, Situation};

/// Most of them: the superuser without a password on the machine itself, all others with one.
const HBA: &str =
    "local all postgres trust\nlocal all all scram-sha-256\nhost all all all scram-sha-256\n";

/// The first Monday of March: no clock is changed near it.
const MONDAY: &str = "2026-03-02T00:00:00Z";
const MORNING: &str = "2026-03-02T08:00:00Z";

/// What is not said otherwise of a situation.
const USUAL: Situation = Situation {
    name: "",
    about: "",
    major: 16,
    format: Format::Stderr,
    settings: "",
    hba: HBA,
    begin: MORNING,
    make: |_| {},
};

/// All that there are.
pub(super) const ALL: &[Situation] = &[
    Situation {
        name: "leak",
        about: "among the usual traffic of a shop, one session of `reports` every two minutes is never closed",
        format: Format::Csvlog,
        settings: "max_connections = 300",
        make: lasting::leak,
        ..USUAL
    },
    Situation {
        name: "leak_numbered",
        about: "each job of `import-100`, `import-101` … leaves one session open",
        major: 18,
        make: lasting::leak_numbered,
        ..USUAL
    },
    Situation {
        name: "churn",
        about: "`php` opens a session for each request, two or three a second",
        // So that a session costs what it costs elsewhere.
        settings: "scram_iterations = 256",
        make: crowds::churn,
        ..USUAL
    },
    Situation {
        name: "full_server",
        about: "`search` grows within six minutes until max_connections is reached; six more minutes of refusals",
        format: Format::Csvlog,
        settings: "max_connections = 60",
        make: limits::full_server,
        ..USUAL
    },
    Situation {
        name: "guessing_one_host",
        about: "60 wrong passwords for one user in eight minutes from one address",
        make: guessing::one_host,
        ..USUAL
    },
    Situation {
        name: "pool_warm_up",
        about: "a pool grows from 5 to 40 sessions in 20 minutes, then stays so for hours",
        major: 18,
        format: Format::Jsonlog,
        make: lasting::pool_warm_up,
        ..USUAL
    },
    Situation {
        name: "quiet",
        about: "a normal day of a web shop",
        begin: MONDAY,
        make: lasting::quiet,
        ..USUAL
    },
    Situation {
        name: "guessing_success",
        about: "wrong passwords for one user from one host, and then the right one",
        major: 18,
        make: guessing::success,
        ..USUAL
    },
    Situation {
        name: "guessing_many_users",
        about: "one address tries a few passwords of each of eight users",
        major: 18,
        format: Format::Jsonlog,
        make: guessing::many_users,
        ..USUAL
    },
    Situation {
        name: "guessing_many_hosts",
        about: "sixty addresses try one or two passwords of one user each",
        make: guessing::many_hosts,
        ..USUAL
    },
    Situation {
        name: "stale_secret",
        about: "a password is changed and one application keeps the old one for forty minutes",
        format: Format::Csvlog,
        make: guessing::stale_secret,
        ..USUAL
    },
    Situation {
        name: "health_check_wrong",
        about: "a health check asks for a role that there is not, every ten seconds",
        major: 15,
        hba: "local all all trust\nhost all all all scram-sha-256\n",
        make: guessing::health_check_wrong,
        ..USUAL
    },
    Situation {
        name: "role_limit",
        about: "a role whose CONNECTION LIMIT is reached now and then",
        major: 17,
        format: Format::Jsonlog,
        make: limits::role_limit,
        ..USUAL
    },
    Situation {
        name: "shut_out",
        about: "a role is locked for an hour, and its application is refused every time",
        major: 17,
        format: Format::Jsonlog,
        make: limits::shut_out,
        ..USUAL
    },
    Situation {
        name: "deploy_storm",
        about: "twelve application servers reconnect their pools within eight seconds",
        major: 18,
        settings: "max_connections = 300",
        make: crowds::deploy_storm,
        ..USUAL
    },
    Situation {
        name: "cron_storm",
        about: "sixty sessions at once at each full hour, as every hour",
        settings: "max_connections = 200",
        begin: MONDAY,
        make: crowds::cron_storm,
        ..USUAL
    },
    Situation {
        name: "restart",
        about: "a fast restart, after which everybody reconnects",
        major: 17,
        settings: "max_connections = 200",
        make: crowds::restart,
        ..USUAL
    },
    Situation {
        name: "crash",
        about: "a backend is killed, the server reinitializes, everybody reconnects",
        major: 18,
        format: Format::Csvlog,
        settings: "max_connections = 200",
        make: crowds::crash,
        ..USUAL
    },
    Situation {
        name: "autoscaling",
        about: "application servers come in the morning and go in the evening, two days long",
        settings: "max_connections = 200",
        begin: MONDAY,
        make: lasting::autoscaling,
        ..USUAL
    },
    Situation {
        name: "long_lived",
        about: "a psql open for thirty hours, and one session of an application whose others end within the hour",
        begin: MONDAY,
        make: lasting::long_lived,
        ..USUAL
    },
    Situation {
        name: "lost_clients",
        about: "for an hour, a third of the clients of `mobile` is cut off; hardly any before",
        major: 18,
        make: quality::lost_clients,
        ..USUAL
    },
    Situation {
        name: "plain_text",
        about: "without TLS: SCRAM from a public address, a password in clear, and trust over the network",
        major: 18,
        hba: "local all postgres trust\nlocal all all scram-sha-256\n\
              host all all 10.0.6.7/32 password\nhost all all 10.0.6.8/32 trust\n\
              host all all all scram-sha-256\n",
        make: quality::plain_text,
        ..USUAL
    },
];

/// Makes these users, with their passwords, and databases.
fn make(plan: &mut Plan, users: &[&str], databases: &[&str]) {
    for user in users {
        let password = password(user);
        plan.prepare
            .push(format!("CREATE ROLE {user} LOGIN PASSWORD '{password}'"));
    }
    for database in databases {
        plan.prepare.push(format!("CREATE DATABASE {database}"));
    }
}

/// The shop that is beside everything: two application servers with a pool of five each, and a job each minute.
fn shop(plan: &mut Plan, hours: f64) {
    make(plan, &["web", "cron"], &["shop"]);
    for host in ["10.0.1.21", "10.0.1.22"] {
        let web = who("web", "web", "shop", host);
        plan.pool(0.0, hours * HOUR, 5, &web);
    }
    let cron = who("cron", "cron", "shop", "[local]");
    plan.rhythm(5.0, hours * HOUR, MINUTE, 1.0, &cron);
}

/// A person, at the machine of the database.
fn operator() -> Who {
    who("psql", "postgres", "postgres", "[local]")
}
