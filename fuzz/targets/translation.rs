//! Any log in any languages: it is rewritten without panic, the same however it is cut, and its English stays as it is.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use pgcensus_log::translation::{
    Catalog, LANGUAGES, Rewriter, Rewritten, Shape, Translation, may_be_translated,
};

static ALL: LazyLock<Arc<Translation>> = LazyLock::new(|| Translation::of(LANGUAGES));
static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::default);

// The first byte is the shape, the second where the log is cut.
fuzz_target!(|data: &[u8]| {
    let [shape, cut, log @ ..] = data else {
        return;
    };
    let shape = [Shape::Stderr, Shape::Csvlog, Shape::Jsonlog][usize::from(shape % 3)];
    let whole = Rewriter::new(ALL.clone(), shape).whole(log);
    let mut rewriter = Rewriter::new(ALL.clone(), shape);
    let mut out = Rewritten::default();
    let step = usize::from(*cut) + 1;
    let (mut from, mut to) = (0, 0);
    while to < log.len() {
        to = log.len().min(to + step);
        from += rewriter.rewrite(&log[from..to], to == log.len(), &mut out);
    }
    assert_eq!(from, log.len());
    assert_eq!(out.text, whole);
    let _ = may_be_translated(log, shape);
    let _ = CATALOG.detect(log, shape);

    // No byte of a name is one of a label here, nor of a quote or line.
    let name: Vec<u8> = log
        .iter()
        .map(|&byte| {
            if b":\"\\\r\n\t".contains(&byte) {
                b'_'
            } else {
                byte
            }
        })
        .collect();
    let english = [
        &b"2026-11-23 05:31:09.348 UTC [1] LOG:  connection authorized: user="[..],
        &name,
        b" database=shop\n",
    ]
    .concat();
    assert_eq!(
        Rewriter::new(ALL.clone(), Shape::Stderr).whole(&english),
        english
    );
});
