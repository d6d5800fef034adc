use proptest::prelude::*;

use super::*;

/// What is seen of a server.
#[derive(Clone, Copy, Debug)]
enum Step {
    Starts,
    Opens,
    Closes,
    /// Something is lost.
    Gap,
}

fn step() -> impl Strategy<Value = (Step, i64)> {
    let step = prop_oneof![
        2 => Just(Step::Starts),
        3 => Just(Step::Opens),
        3 => Just(Step::Closes),
        1 => Just(Step::Gap),
    ];
    // Clocks are set back.
    (step, -20..60i64)
}

/// The lives of these steps, their times, and the gaps that are not told yet.
fn follow(steps: &[(Step, i64)], mut gap: impl FnMut(&mut Lives, Place)) -> (Lives, Vec<Instant>) {
    let mut lives = Lives::default();
    let mut now = Instant(1_000_000);
    let mut times = Vec::new();
    for &(step, later) in steps {
        now = now.plus_ms(later);
        times.push(now);
        match step {
            Step::Starts => lives.begin(now, Marker::Start),
            Step::Opens => lives.saw_authorized(),
            Step::Closes => lives.saw_disconnection(),
            Step::Gap => {
                let here = lives.place(now);
                gap(&mut lives, here);
            }
        }
    }
    (lives, times)
}

proptest! {
    #[test]
    fn a_gap_is_where_it_was_however_late_it_is_told(steps in prop::collection::vec(step(), 0..60)) {
        let (at_once, times) = follow(&steps, Lives::gap);
        let mut gaps = Vec::new();
        let (mut late, _) = follow(&steps, |_, gap| gaps.push(gap));
        for gap in gaps {
            late.gap(gap);
        }
        for &at in &times {
            prop_assert_eq!(at_once.at(at), late.at(at), "at {:?}", at);
            prop_assert_eq!(at_once.exact_at(at), late.exact_at(at), "at {:?}", at);
        }
    }
}

#[test]
fn a_gap_leaves_the_lives_before_and_after_it_exact() {
    let mut lives = Lives::default();
    let mut places = Vec::new();
    for start in [1_000, 2_000, 3_000] {
        lives.begin(Instant(start), Marker::Start);
        lives.saw_authorized();
        lives.saw_disconnection();
        places.push(lives.place(Instant(start + 500)));
    }
    lives.gap(places[1]);
    for (at, certainty) in [
        (1_600, Certainty::Exact),
        (2_400, Certainty::Exact),
        (2_500, Certainty::Unknown),
        (2_999, Certainty::Unknown),
        (3_000, Certainty::Exact),
    ] {
        assert_eq!(lives.at(Instant(at)), certainty, "{at}");
    }
}

#[test]
fn of_very_many_lives_the_oldest_are_not_exact() {
    let mut lives = Lives::default();
    let first = lives.place(Instant(1));
    let lives_told = LIVES_MAX as i64 + 10;
    for n in 0..lives_told {
        lives.begin(Instant(n * 100_000), Marker::Start);
        lives.saw_authorized();
        lives.saw_disconnection();
    }
    // It belongs to one that is not kept apart any more.
    lives.gap(first);
    assert_eq!(lives.at(Instant(50_000)), Certainty::Unknown);
    assert_eq!(lives.at(Instant(lives_told * 100_000)), Certainty::Exact);
    assert_eq!(
        lives.at(Instant((lives_told - 5) * 100_000)),
        Certainty::Exact
    );
}
