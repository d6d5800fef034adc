//! What the cells of a page add up to, and the same numbers as `summary --json` has them.

use std::collections::BTreeMap;

use serde_json::Value;

const DIMENSIONS: [&str; 5] = [
    "server",
    "database",
    "user",
    "application_name",
    "client_host",
];

/// How often something happened by name, those of which it is 0 left out.
pub(crate) type ByName = BTreeMap<String, i64>;

/// What the cells of some buckets add up to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sums {
    pub(crate) connects: i64,
    pub(crate) disconnects: BTreeMap<String, i64>,
    pub(crate) refused: BTreeMap<String, i64>,
    pub(crate) attempts: i64,
    pub(crate) probes: i64,
    pub(crate) open: i64,
    pub(crate) histogram: [i64; 9],
    pub(crate) connects_by: [ByName; 5],
    pub(crate) open_by: [ByName; 5],
    pub(crate) refused_by: [ByName; 5],
}

/// Of the buckets from one up to another.
pub(crate) fn sums_of(data: &Value, from: usize, to: usize) -> Sums {
    let mut sums = Sums::default();
    let number = |value: &Value| value.as_i64().expect("a number");
    let first = |bucket: usize| number(&data["cells"]["first"][bucket]) as usize;
    for bucket in 0..to {
        let mut kind = 0;
        for at in first(bucket)..first(bucket + 1) {
            kind += number(&data["cells"]["kind"][at]) as usize;
            let n = number(&data["cells"]["n"][at]);
            let told = &data["kinds"][kind];
            let names: Vec<String> = (0..5)
                .filter_map(|at| {
                    let who = data["who"][told[1].as_u64()? as usize][at].as_u64()?;
                    Some(
                        data["names"][DIMENSIONS[at]][who as usize]
                            .as_str()?
                            .to_owned(),
                    )
                })
                .collect();
            let add = |by: &mut [ByName; 5], n| {
                for (by, name) in by.iter_mut().zip(&names) {
                    *by.entry(name.clone()).or_default() += n;
                }
            };
            let (what, detail) = (told[0].as_str().expect("a word"), &told[2]);
            let step = match what {
                "opened" | "there" => n,
                "closed" => -n,
                _ => 0,
            };
            sums.open += step;
            add(&mut sums.open_by, step);
            if bucket < from {
                continue;
            }
            let word = || detail.as_str().expect("a word").to_owned();
            match what {
                "opened" => {
                    sums.connects += n;
                    add(&mut sums.connects_by, n);
                }
                "closed" => *sums.disconnects.entry(word()).or_default() += n,
                "refused" => {
                    *sums.refused.entry(word()).or_default() += n;
                    sums.attempts += if told[3] == false { n } else { 0 };
                    add(&mut sums.refused_by, n);
                }
                "probe" => sums.probes += n,
                "lasted" => sums.histogram[number(detail) as usize] += n,
                _ => {}
            }
        }
    }
    sums.tidy()
}

impl Sums {
    pub(crate) fn of_summary(summary: &Value) -> Sums {
        let count = |value: &Value| value.as_i64().unwrap_or_default();
        let by = |by: &Value| {
            DIMENSIONS.map(|dimension| {
                let rows = by[dimension].as_array().into_iter().flatten();
                let name = |row: &Value| row["name"].as_str().expect("a name").to_owned();
                rows.map(|row| (name(row), count(&row["count"]))).collect()
            })
        };
        let words = |object: &Value| {
            let words = object.as_object().into_iter().flatten();
            words.map(|(word, n)| (word.clone(), count(n))).collect()
        };
        let histogram = &summary["session_time_histogram"];
        Sums {
            connects: count(&summary["connects"]["total"]),
            disconnects: words(&summary["disconnects"]["by"]),
            refused: words(&summary["refused"]["by_reason"]),
            attempts: count(&summary["refused"]["attempts"]),
            probes: count(&summary["probes"]),
            open: count(&summary["open"]["count"]),
            histogram: std::array::from_fn(|class| count(&histogram[class]["count"])),
            connects_by: by(&summary["connects"]["by"]),
            open_by: by(&summary["open"]["by"]),
            refused_by: by(&summary["refused"]["by"]),
        }
        .tidy()
    }

    fn tidy(mut self) -> Sums {
        let all = [
            &mut self.connects_by,
            &mut self.open_by,
            &mut self.refused_by,
        ];
        let by_name = all.into_iter().flatten();
        for counts in by_name.chain([&mut self.disconnects, &mut self.refused]) {
            counts.retain(|_, n| *n != 0);
        }
        self
    }
}
