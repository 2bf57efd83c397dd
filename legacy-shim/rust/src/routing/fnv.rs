//! FNV-1a with a final mix: a hash for maps whose keys come from the configuration, looked up with a few short bytes per request.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map with FNV hashing. Do not use it for keys that clients choose.
pub(super) type FnvMap<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// The hasher.
pub(super) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// The last bytes reach only some bits; the table looks at the highest and the lowest ones, so spread them.
    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed ^ (mixed >> 33)
    }
}
