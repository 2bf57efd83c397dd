//! Methods as bits: a map numbers the method names it knows, a rule holds a set of them.

/// Names of all methods that a map's rules mention; the position is the bit.
#[derive(Debug, Clone, Default)]
pub(super) struct MethodNames {
    names: Vec<String>,
}

/// A set of methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct MethodSet(u128);

impl MethodSet {
    pub(super) fn contains(self, method: Option<u32>) -> bool {
        method.is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    pub(super) fn insert(&mut self, bit: u32) {
        self.0 |= 1 << bit;
    }

    pub(super) fn add(&mut self, other: MethodSet) {
        self.0 |= other.0;
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl MethodNames {
    /// The bit of a method, new or known; none when 128 are in use.
    pub(super) fn intern(&mut self, method: &str) -> Option<u32> {
        let method = method.to_uppercase();
        if let Some(bit) = self.bit(&method) {
            return Some(bit);
        }
        let bit = u32::try_from(self.names.len()).ok().filter(|&bit| bit < u128::BITS)?;
        self.names.push(method);
        Some(bit)
    }

    /// The bit of a method that a rule mentions.
    pub(super) fn bit(&self, method: &str) -> Option<u32> {
        let position = self.names.iter().position(|name| name.eq_ignore_ascii_case(method))?;
        u32::try_from(position).ok()
    }

    /// The bit of a method written exactly so; `build` does not change case.
    pub(super) fn bit_exact(&self, method: &str) -> Option<u32> {
        let position = self.names.iter().position(|name| name == method)?;
        u32::try_from(position).ok()
    }

    /// The names in the set, sorted.
    pub(super) fn names(&self, set: MethodSet) -> Vec<&str> {
        let mut names: Vec<&str> = (0u32..)
            .zip(&self.names)
            .filter(|&(bit, _)| set.contains(Some(bit)))
            .map(|(_, name)| name.as_str())
            .collect();
        names.sort_unstable();
        names
    }
}
