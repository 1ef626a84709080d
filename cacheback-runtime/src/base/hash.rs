//! Keys are hashed once, with a seed. Later maps take these hashes as they are.

use std::hash::{BuildHasherDefault, Hasher};

// Not `foldhash::fast`: with about one seed in a hundred, its hashes of consecutive numbers all end in the same bits.
// papaya begins its search at those bits. If it finds no room in a table that is less than half full, it allocates
// another table of the same size, and so on for ever.
use foldhash::quality as folded;

/// Hashes the keys of a cache, with a seed of the cache's own.
#[cfg(not(all(test, cacheback_shuttle)))]
pub(crate) type Seeded = folded::RandomState;
/// The same in each run, so that a run can be repeated.
#[cfg(all(test, cacheback_shuttle))]
pub(crate) type Seeded = BuildHasherDefault<std::hash::DefaultHasher>;

/// Hashes numbers that the library gives out itself. Nobody can choose them so that they collide, so the seed is the
/// same in each process.
pub(crate) type Numbered = folded::FixedState;

/// Passes a hash through unchanged.
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

/// For maps whose keys are hashes, or numbers that spread as well.
pub(crate) type BuildAsIs = BuildHasherDefault<AsIs>;

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use super::*;

    /// With any seed, consecutive keys find room in papaya's smallest table, which tries 26 slots of 32.
    #[test]
    fn consecutive_keys_are_spread() {
        for seed in 0..20_000_u64 {
            // A process has one `SharedSeed`; this test has many.
            let shared: &'static _ = Box::leak(Box::new(foldhash::SharedSeed::from_u64(seed)));
            let hasher = folded::SeedableRandomState::with_seed(seed, shared);
            for step in [1, 8, 1_000] {
                let mut keys_at = [0; 32];
                for key in 0..32_u64 {
                    keys_at[hasher.hash_one(key * step) as usize % 32] += 1;
                }
                let most = keys_at.into_iter().max().unwrap_or(0);
                assert!(most <= 12, "{most} keys in one slot: seed {seed}, step {step}");
            }
        }
    }

    /// An attacker who chooses keys that collide has to know the seed, and each cache has its own.
    #[test]
    fn keys_that_collide_under_one_seed_are_spread_under_another() {
        const SLOTS: u64 = 1_024;
        let slot = |hasher: &Seeded, key: u64| hasher.hash_one(key) % SLOTS;
        let known = Seeded::default();
        let chosen: Vec<_> = (0..).filter(|key| slot(&known, *key) == 0).take(1_000).collect();
        for _ in 0..100 {
            let other = Seeded::default();
            let mut keys_at = vec![0; SLOTS as usize];
            for key in &chosen {
                keys_at[slot(&other, *key) as usize] += 1;
            }
            let most = keys_at.into_iter().max().unwrap_or(0);
            // No more than a thousand random keys would put into one slot.
            assert!(most <= 16, "{most} of {} keys in one slot", chosen.len());
        }
    }
}
