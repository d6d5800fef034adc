//! Lengths of the sessions of a group: enough for a median.

/// Milliseconds below this are counted one by one, longer ones in eighths of a power of two.
const EXACT: u64 = 16;

/// Eighths from 16 ms to 16,384 ms; what is longer is counted with the last.
const CLASSES: usize = EXACT as usize + 8 * 10;

/// How many sessions were so long.
#[derive(Clone)]
pub(super) struct Lengths([u32; CLASSES]);

impl Default for Lengths {
    fn default() -> Lengths {
        Lengths([0; CLASSES])
    }
}

impl Lengths {
    pub(super) fn add(&mut self, ms: u64) {
        self.0[class(ms)] += 1;
    }

    /// In milliseconds, within 7 %; `None` of nothing.
    pub(super) fn median(&self) -> Option<u64> {
        let total: u64 = self.0.iter().copied().map(u64::from).sum();
        let mut below = 0;
        let class = self.0.iter().position(|&n| {
            below += u64::from(n);
            total > 0 && below * 2 >= total
        })?;
        Some(middle(class))
    }
}

fn class(ms: u64) -> usize {
    if ms < EXACT {
        return ms as usize;
    }
    let octave = ms.ilog2();
    let eighth = (ms >> (octave - 3)) - 8;
    let class = EXACT + 8 * (u64::from(octave) - 4) + eighth;
    (class as usize).min(CLASSES - 1)
}

/// The middle of a class.
fn middle(class: usize) -> u64 {
    let class = class as u64;
    if class < EXACT {
        return class;
    }
    let (octave, eighth) = ((class - EXACT) / 8 + 4, (class - EXACT) % 8);
    let width = 1 << (octave - 3);
    (8 + eighth) * width + (width - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_within_seven_per_cent() {
        for ms in (0..16_000).step_by(7) {
            let mut lengths = Lengths::default();
            assert_eq!(lengths.median(), None);
            for ms in [0, ms, 100_000_000] {
                lengths.add(ms);
            }
            let median = lengths.median().unwrap_or_default();
            assert!(median.abs_diff(ms) * 100 <= ms * 7, "{ms}: {median}");
        }
    }
}
