use std::sync::LazyLock;

use pgcensus_core::compare::ComparisonSnapshot;

use super::*;
use crate::view::example;

fn change(dimension: Option<Dimension>, name: &str, measure: Measure, values: [f64; 2]) -> Change {
    Change {
        dimension,
        name: name.as_bytes().into(),
        measure,
        values: values.map(Some),
        sessions: [360, 1_530],
        is_there: values.map(|value| value > 0.0),
        peaks: [Some(4), None],
        p: Some(0.000_02),
        q: Some(0.000_8),
    }
}

fn side(hour: i64, buckets: usize) -> SideSnapshot {
    let window = (example::at(hour, 0, 0), example::at(hour + 3, 0, 0));
    SideSnapshot {
        window: Some(window),
        buckets,
        compared: Some(window),
        connects: 1_530,
    }
}

fn comparison() -> ComparisonSnapshot {
    let app = Some(Dimension::ApplicationName);
    let quiet = |measure, values| Change {
        p: Some(0.41),
        q: Some(0.8),
        ..change(None, "", measure, values)
    };
    ComparisonSnapshot {
        sides: [side(3, 12), side(6, 12)],
        bucket_s: 900,
        names: 34,
        tests: 120,
        is_enough: true,
        total: vec![
            change(None, "", Measure::Connects, [1_204.0, 2_480.5]),
            quiet(Measure::Refused, [0.0, 0.33]),
            quiet(Measure::Open, [41.2, 42.0]),
            quiet(Measure::SessionTime, [412.0, 61_204.0]),
        ],
        changes: vec![
            change(
                Some(Dimension::Database),
                "shop\x1b[2J",
                Measure::Connects,
                [120.0, 510.0],
            ),
            change(app, "checkout", Measure::Connects, [120.0, 510.0]),
            change(app, "checkout", Measure::Open, [3.11, 12.7]),
            change(app, "checkout", Measure::SessionTime, [31_000.0, 412.0]),
            change(app, "nightly", Measure::Connects, [80.0, 0.0]),
            change(app, "nightly", Measure::Open, [0.4, 0.0]),
            change(app, "cron \"x\", daily", Measure::Connects, [0.0, 8.25]),
        ],
        notes: Vec::new(),
    }
}

fn told<'c>(comparison: &'c ComparisonSnapshot, notes: &'c [(Tone, String)]) -> Told<'c> {
    static REPORT: LazyLock<InputReport> = LazyLock::new(example::report);
    Told {
        comparison,
        reports: [&REPORT, &REPORT],
        notes,
    }
}

fn rendered(comparison: &ComparisonSnapshot, show: &Show<'_>) -> String {
    let mut out = Vec::new();
    let notes = [(Tone::Dim, "open sessions are not compared".to_owned())];
    text(told(comparison, &notes), show, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let widest = text.lines().map(|line| line.chars().count()).max();
    assert!(widest <= Some(show.width), "{text}");
    text
}

#[test]
fn what_changed_is_told_by_dimension() {
    let zone = example::zone();
    for width in [40, 50, 80, 120] {
        let text = rendered(&comparison(), &example::show(&zone, width));
        insta::assert_snapshot!(format!("comparison_{width}"), text);
    }
}

#[test]
fn one_dimension_may_be_asked_for() {
    let zone = example::zone();
    let show = Show {
        by: &[Dimension::ApplicationName],
        limit: Some(1),
        ..example::show(&zone, 80)
    };
    let text = rendered(&comparison(), &show);
    assert!(
        !text.contains("Database") && text.contains("… 2 more: --limit 0"),
        "{text}"
    );
}

#[test]
fn that_nothing_changed_is_said() {
    let zone = example::zone();
    let show = example::show(&zone, 80);
    let mut silent = comparison();
    silent.changes.clear();
    silent.total[0].q = Some(0.3);
    let said = |comparison: &ComparisonSnapshot| {
        let text = rendered(comparison, &show);
        let verdict = text.lines().skip_while(|line| !line.is_empty());
        verdict.collect::<Vec<_>>().join("\n")
    };
    let nothing = said(&silent);
    assert!(
        nothing.contains("Nothing changed that 15-minute buckets can tell:"),
        "{nothing}"
    );
    silent.sides[1].buckets = 3;
    silent.is_enough = false;
    let short = said(&silent);
    assert!(
        short.contains("15-minute buckets cannot tell what changed"),
        "{short}"
    );
    let empty = said(&ComparisonSnapshot {
        bucket_s: 3_600,
        ..ComparisonSnapshot::default()
    });
    assert!(empty.contains("1-hour buckets cannot tell"), "{empty}");
}

#[test]
fn data_has_every_number() {
    let zone = example::zone();
    let show = example::piped(&zone);
    let mut out = Vec::new();
    csv(&comparison(), &show, &mut out).unwrap();
    insta::assert_snapshot!("comparison_csv", String::from_utf8_lossy(&out));
    out.clear();
    json(told(&comparison(), &[]), &show, &mut out).unwrap();
    insta::assert_snapshot!("comparison_json", String::from_utf8_lossy(&out));
}
