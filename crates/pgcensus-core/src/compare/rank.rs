//! The rank test: may the numbers of two samples come from one source?
//!
//! Mann and Whitney's U, two-sided. Ranks, because numbers of sessions a bucket are skewed and have outliers, and nobody
//! knows their distribution. Tied numbers share the mean of their ranks, which counts of sessions often are.
//! Of few numbers, p is that of all ways to deal them out, ties and all; of more, the normal approximation with corrections
//! for ties and continuity, which is as good from there on and does not take longer with every number.

/// Up to so many numbers in both samples together, all ways to deal them out are counted: ten and ten differ from the
/// approximation by less than a tenth of p, and of five and five the approximation promises too much.
pub const EXACT_MAX: usize = 20;

/// How probable it is that samples of one source differ by as much as these, in either direction. 1 where one is empty.
pub fn mann_whitney(x: &[f64], y: &[f64]) -> f64 {
    if x.is_empty() || y.is_empty() {
        return 1.0;
    }
    // The fewer there are to choose, the fewer ways.
    let (x, y) = if x.len() <= y.len() { (x, y) } else { (y, x) };
    let pooled = Pooled::of(x, y);
    if pooled.ranks.len() <= EXACT_MAX {
        pooled.exact(x.len())
    } else {
        pooled.approximate(x.len())
    }
}

/// Both samples in one order.
struct Pooled {
    /// Twice the rank of each, so that a mean of two is whole.
    ranks: Vec<usize>,
    /// The sum of those of the first sample.
    sum: usize,
    /// The sum of t³ − t over numbers that occur t times.
    ties: f64,
}

impl Pooled {
    fn of(x: &[f64], y: &[f64]) -> Pooled {
        let mut all: Vec<(f64, bool)> = x.iter().map(|&n| (n, true)).collect();
        all.extend(y.iter().map(|&n| (n, false)));
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut pooled = Pooled {
            ranks: Vec::with_capacity(all.len()),
            sum: 0,
            ties: 0.0,
        };
        for equal in all.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
            let rank = 2 * pooled.ranks.len() + equal.len() + 1;
            pooled.sum += rank * equal.iter().filter(|(_, is_of_x)| *is_of_x).count();
            pooled.ranks.extend(equal.iter().map(|_| rank));
            let t = equal.len() as f64;
            pooled.ties += t * t * t - t;
        }
        pooled
    }

    /// Of all ways to choose `n` of the ranks, the share of those whose sum is as far out as this one.
    fn exact(&self, n: usize) -> f64 {
        let most: usize = self.ranks.iter().rev().take(n).sum();
        // ways[k][s]: to choose k with the sum s; at most 184,756 of ten in twenty.
        let mut ways = vec![vec![0_u64; most + 1]; n + 1];
        ways[0][0] = 1;
        for &rank in &self.ranks {
            for k in (1..=n).rev() {
                let (fewer, more) = ways.split_at_mut(k);
                let sums = more[0].iter_mut().skip(rank);
                for (ways, before) in sums.zip(&fewer[k - 1]) {
                    *ways += before;
                }
            }
        }
        let ways = &ways[n];
        let all: u64 = ways.iter().sum();
        let low: u64 = ways[..=self.sum].iter().sum();
        let high: u64 = ways[self.sum..].iter().sum();
        (2.0 * low.min(high) as f64 / all as f64).min(1.0)
    }

    fn approximate(&self, n: usize) -> f64 {
        let all = self.ranks.len() as f64;
        let n = n as f64;
        let m = all - n;
        let u = self.sum as f64 / 2.0 - n * (n + 1.0) / 2.0;
        let variance = n * m / 12.0 * (all + 1.0 - self.ties / (all * (all - 1.0)));
        if variance <= 0.0 {
            return 1.0;
        }
        let distance = ((u - n * m / 2.0).abs() - 0.5).max(0.0);
        erfc(distance / (2.0 * variance).sqrt())
    }
}

/// The complementary error function of a number that is not negative: the share of a normal distribution that lies
/// further out than √2 `x` deviations on either side. A series near 0, a continued fraction further out.
fn erfc(x: f64) -> f64 {
    const TERMS: i32 = 100;
    let root = std::f64::consts::PI.sqrt();
    if x < 2.0 {
        let (mut term, mut sum) = (x, x);
        for n in 1..TERMS {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return 1.0 - 2.0 / root * sum;
    }
    let fraction = (1..TERMS)
        .rev()
        .fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    (-x * x).exp() / root / fraction
}

/// Benjamini and Hochberg's correction of many tests: where all with a result of at most `share` are believed, no more than that
/// share of the believed ones is expected to be chance, however many tests there are. In the order of `p`.
pub fn false_discovery(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut q = vec![1.0; p.len()];
    let mut least = 1.0_f64;
    for (i, &at) in order.iter().enumerate().rev() {
        least = least.min(p[at] * p.len() as f64 / (i + 1) as f64);
        q[at] = least;
    }
    q
}

#[cfg(test)]
mod tests;
