//! Hashes that are made once, with a seed, and then taken as they are.

use std::hash::{BuildHasherDefault, Hasher};

// Not `foldhash::fast`: with one seed of the process in some hundred its hashes of numbers in a row all end in the same
// bits. papaya starts its search at those, and where it finds no room in a table that is less than half full it takes
// another table of that size, and then the next one: for ever.
use foldhash::quality as folded;

/// How the keys of a cache are hashed: with a seed of its own.
#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) type Seeded = folded::RandomState;
/// Alike in each run, so that it can be repeated.
#[cfg(all(test, cacheback_shuttle))]
pub(crate) type Seeded = BuildHasherDefault<std::hash::DefaultHasher>;

/// Hands a hash through.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed here");
    }
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// For maps whose keys are hashes, or numbers that are as good.
pub(crate) type BuildAsIs = BuildHasherDefault<AsIs>;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    /// Whatever the seed, keys in a row find room in the smallest of papaya's tables, which tries 26 places of 32.
    #[test]
    fn keys_in_a_row_lie_at_different_places() {
        for seed in 0..20_000_u64 {
            // The process has one `SharedSeed`; here there are many.
            let shared: &'static _ = Box::leak(Box::new(foldhash::SharedSeed::from_u64(seed)));
            let hasher = folded::SeedableRandomState::with_seed(seed, shared);
            for step in [1, 8, 1_000] {
                let mut keys_at = [0; 32];
                for key in 0..32_u64 {
                    keys_at[hasher.hash_one(key * step) as usize % 32] += 1;
                }
                let most = keys_at.into_iter().max().unwrap_or(0);
                assert!(most <= 12, "{most} keys at one place: seed {seed}, step {step}");
            }
        }
    }
    /// Whoever chooses keys so that they collide has to know the seed, and each cache has its own.
    #[test]
    fn keys_that_collide_under_a_known_seed_lie_apart_under_another() {
        const PLACES: u64 = 1_024;
        let place = |hasher: &Seeded, key: u64| hasher.hash_one(key) % PLACES;
        let known = Seeded::default();
        let chosen: Vec<_> = (0..).filter(|key| place(&known, *key) == 0).take(1_000).collect();
        for _ in 0..100 {
            let other = Seeded::default();
            let mut keys_at = vec![0; PLACES as usize];
            for key in &chosen {
                keys_at[place(&other, *key) as usize] += 1;
            }
            let most = keys_at.into_iter().max().unwrap_or(0);
            // As many as a thousand keys at random bring together.
            assert!(most <= 16, "{most} of {} keys at one place", chosen.len());
        }
    }
}
