//! Keys drawn by popularity, with the generator of "Quickly generating billion-record synthetic databases" (Gray et
//! al.), which YCSB uses too.

/// Random numbers that are the same in each run.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number of splitmix64.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Ranks from 0, the most popular, to `ranks - 1`. Rank r has a probability proportional to 1 / (r + 1)^theta.
#[derive(Debug)]
pub(crate) struct Zipf {
    ranks: f64,
    theta: f64,
    zeta: f64,
    alpha: f64,
    eta: f64,
}

/// The exponent of YCSB.
pub(crate) const THETA: f64 = 0.99;

impl Zipf {
    pub(crate) fn new(ranks: u64, theta: f64) -> Self {
        let zeta = zeta(ranks, theta);
        let n = ranks as f64;
        let eta = (1.0 - (2.0 / n).powf(1.0 - theta)) / (1.0 - zeta_of_two(theta) / zeta);
        Self { ranks: n, theta, zeta, alpha: 1.0 / (1.0 - theta), eta }
    }

    pub(crate) fn rank(&self, random: &mut Random) -> u64 {
        let u = random.unit();
        let scaled = u * self.zeta;
        if scaled < 1.0 {
            0
        } else if scaled < zeta_of_two(self.theta) {
            1
        } else {
            let rank = self.ranks * (self.eta * u - self.eta + 1.0).powf(self.alpha);
            rank.min(self.ranks - 1.0) as u64
        }
    }
}

fn zeta(ranks: u64, theta: f64) -> f64 {
    (1..=ranks).map(|rank| (rank as f64).powf(-theta)).sum()
}

fn zeta_of_two(theta: f64) -> f64 {
    1.0 + 0.5f64.powf(theta)
}

/// Spreads ranks over the key space, so that ranks next to each other are far apart as keys. A bijection.
pub(crate) fn scattered(rank: u64) -> u64 {
    Random::new(rank).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(ranks: u64, theta: f64, draws: u32) -> Vec<f64> {
        let zipf = Zipf::new(ranks, theta);
        let mut random = Random::new(7);
        let mut counts = vec![0u32; ranks as usize];
        for _ in 0..draws {
            counts[zipf.rank(&mut random) as usize] += 1;
        }
        counts.into_iter().map(|count| f64::from(count) / f64::from(draws)).collect()
    }

    #[test]
    fn the_first_ranks_have_their_exact_share() {
        let (ranks, theta) = (1_000, THETA);
        let shares = shares(ranks, theta, 1_000_000);
        let total = zeta(ranks, theta);
        for rank in [0usize, 1] {
            let expected = ((rank + 1) as f64).powf(-theta) / total;
            assert!(
                (shares[rank] / expected - 1.0).abs() < 0.02,
                "rank {rank}: {} for {expected}",
                shares[rank]
            );
        }
    }

    #[test]
    fn the_head_and_the_tail_have_their_share() {
        // The generator approximates all but the first two ranks, so groups of ranks are compared.
        let (ranks, theta) = (1_000, THETA);
        let shares = shares(ranks, theta, 1_000_000);
        let total = zeta(ranks, theta);
        for range in [0..10usize, 10..100, 100..500, 500..1_000] {
            let expected: f64 = range.clone().map(|rank| ((rank + 1) as f64).powf(-theta) / total).sum();
            let drawn: f64 = shares[range.clone()].iter().sum();
            assert!((drawn / expected - 1.0).abs() < 0.05, "ranks {range:?}: {drawn} for {expected}");
        }
    }

    #[test]
    fn ranks_stay_in_their_range_and_reach_its_end() {
        let zipf = Zipf::new(50, THETA);
        let mut random = Random::new(1);
        let drawn: Vec<u64> = (0..100_000).map(|_| zipf.rank(&mut random)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&0), Some(&49)));
    }

    #[test]
    fn scattered_keys_are_distinct() {
        let mut keys: Vec<u64> = (0..100_000).map(scattered).collect();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), 100_000);
    }

    #[test]
    fn random_numbers_fill_the_unit_interval_evenly() {
        let mut random = Random::new(3);
        let mean = (0..100_000).map(|_| random.unit()).sum::<f64>() / 100_000.0;
        assert!((mean - 0.5).abs() < 0.01, "{mean}");
    }
}
