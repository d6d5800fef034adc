//! Names that checkers are known by.

use super::Group;
use crate::names::{Dimension, Names};

/// Parts of application names and roles, in lower case: defaults of the programs and of their documentation.
const KNOWN: &[&str] = &[
    // PostgreSQL's own; `pg_isready` is its `fallback_application_name`.
    "pg_isready",
    // Exporters and agents.
    "postgres_exporter",
    "postgres-exporter",
    "pg_exporter",
    "prometheus",
    "datadog",
    "pganalyze",
    "pgwatch",
    "pgmetrics",
    "pmm-agent",
    "telegraf",
    "netdata",
    "newrelic",
    "zabbix",
    "zbx_monitor",
    "check_postgres",
    "check_pgactivity",
    "nagios",
    "icinga",
    "munin",
    // Poolers and balancers.
    "pgbouncer",
    "pgpool",
    "haproxy",
    "pgcat",
    "odyssey",
    "rdsproxy",
    // Operators, and who looks after replication.
    "patroni",
    "repmgr",
    "cnpg",
    "cloudnative-pg",
    "stolon",
    "pgautofailover",
    "pg_auto_failover",
    "postgres-operator",
    // Roles of the clouds' own agents.
    "rdsadmin",
    "azuresu",
    "azure_superuser",
    "cloudsqladmin",
    "cloudsqlagent",
    // Kubernetes' and others' own word.
    "healthcheck",
    "health_check",
    "health-check",
];

/// The known name that the application or else the role of this group has in it.
pub(super) fn name_of(group: Group, names: &Names) -> Option<&'static str> {
    let dimensions = [Dimension::ApplicationName, Dimension::User];
    dimensions.into_iter().find_map(|dimension| {
        let text = names.text_of(dimension, group.name(dimension));
        let text = text.to_ascii_lowercase();
        let is_in = |known: &&&str| {
            let known = known.as_bytes();
            text.windows(known.len()).any(|part| part == known)
        };
        KNOWN.iter().find(is_in).copied()
    })
}
