//! OpenMetrics as the text format 0.0.4: the same samples, in families that carry the names of their samples.
//!
//! ```text
//! # HELP pgcensus_connects …          # HELP pgcensus_connects_total …
//! # TYPE pgcensus_connects counter    # TYPE pgcensus_connects_total counter
//! pgcensus_connects_total{…} 7        pgcensus_connects_total{…} 7
//! # UNIT …
//! # EOF
//! ```
//!
//! A sample is on one line, whatever its labels are: line breaks in them are escaped, in both formats alike. Bounds of classes
//! and numbers are written alike too.

/// The other form of a text.
pub(super) fn of_open_metrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    // The description comes before the type, which says how the family is called here.
    let mut help = "";
    for line in text.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help);
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').unwrap_or((typed, "unknown"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                kind => ("", kind),
            };
            classic += &format!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n");
        } else if !line.starts_with("# ") {
            classic += line;
            classic.push('\n');
        }
    }
    classic
}
