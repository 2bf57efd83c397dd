//! Deterministic randomness, damage to texts, and which damage does not matter.

/// xorshift64*: the same numbers everywhere, which is all that is asked of it.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed ^ 0x9e37_79b9_7f4a_7c15 | 1)
    }

    /// Seeded by the bytes themselves, so that an input alone reproduces what happened.
    pub(crate) fn of(data: &[u8]) -> Self {
        let fnv = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        Self::new(data.iter().fold(0xcbf2_9ce4_8422_2325, fnv))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    /// A number below `end`; 0 for 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

const REPLACEMENTS: &[u8] = b"AQgw-_+/=.|$: \n\"0aZ%";

/// One small change to an ASCII text; sometimes none, if the dice give the same character.
pub(crate) fn tamper(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = random.below(bytes.len());
    let other = *random.pick(REPLACEMENTS);
    match random.below(8) {
        0..=2 if !bytes.is_empty() => bytes[at] = other,
        3 if !bytes.is_empty() => drop(bytes.remove(at)),
        4 => bytes.insert(at, other),
        5 => bytes.truncate(at),
        6 if !bytes.is_empty() => bytes[at] ^= 0x20,
        _ => bytes.extend_from_slice(&text.as_bytes()[at..]),
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What Python's `base64` reads from a signature, written down a second time: the two alphabets at once, anything else is
/// skipped, padding that completes a group ends the text, bits that fill no byte do not matter.
pub(crate) fn signature_bytes(text: &str) -> Vec<u8> {
    let (mut sextets, mut padding) = (Vec::new(), 0);
    for byte in text.bytes() {
        let sextet = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'-' | b'+' => 62,
            b'_' | b'/' => 63,
            b'=' => {
                padding += 1;
                if sextets.len() % 4 >= 2 && sextets.len() % 4 + padding >= 4 {
                    break;
                }
                continue;
            }
            _ => continue,
        };
        padding = 0;
        sextets.push(sextet);
    }
    let mut bytes = Vec::new();
    for group in sextets.chunks(4) {
        let bits =
            group.iter().enumerate().fold(0u32, |bits, (n, six)| bits | u32::from(*six) << (18 - 6 * n));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len().max(1)]);
    }
    bytes
}

/// What must not change in `value "." signature`: the value to the letter, the signature by its bytes.
pub(crate) fn essence(signed: &str) -> (String, Vec<u8>) {
    let (value, signature) = signed.rsplit_once('.').unwrap_or((signed, ""));
    (value.to_owned(), signature_bytes(signature))
}
