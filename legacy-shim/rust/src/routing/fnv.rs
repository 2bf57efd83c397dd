//! FNV-1a: a hash for maps whose keys come from the configuration, looked up with a few short bytes per request.

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

    fn finish(&self) -> u64 {
        self.0
    }
}
