//! A small mutator with a fixed seed: bits, bytes, pieces of the corpus, words of the formats.

const MOST: usize = 4_096;
const WORDS: [&str; 32] = [
    "\r\n",
    "\r",
    "\n",
    "\r\n\r\n",
    "\0",
    "\t",
    " ",
    ":",
    ": ",
    ";",
    ",",
    "0",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "-1",
    "+1",
    "ffffffffffffffff",
    "99999999999999999999",
    "Host: a\r\n",
    "Content-Length: 5\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Upgrade: websocket\r\n",
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "HTTP/1.0",
    "PROXY TCP4 ",
    "::",
    "[",
    "]",
    "\"",
    "=",
    "\u{e9}",
];

/// xorshift64*: the same numbers everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        if end == 0 { 0 } else { (self.next() % end as u64) as usize }
    }
}

/// Endless inputs, made of those of a corpus.
pub(crate) struct Mutator {
    corpus: Vec<Vec<u8>>,
    random: Random,
}

impl Mutator {
    pub(crate) fn new(name: &str, corpus: Vec<Vec<u8>>) -> Self {
        let seed = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self { corpus, random: Random(seed | 1) }
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.random.below(data.len());
        let end = (at + self.random.below(16) + 1).min(data.len());
        match self.random.below(8) {
            0 if !data.is_empty() => data[at] ^= 1 << self.random.below(8),
            1 if !data.is_empty() => data[at] = self.random.next() as u8,
            2 => drop(data.drain(at..end)),
            3 => {
                let piece = data[at..end].to_vec();
                let times = 1 + self.random.below(20);
                data.splice(at..at, piece.repeat(times));
            }
            4 | 5 => {
                let number = self.random.below(self.corpus.len());
                let from = self.random.below(self.corpus[number].len());
                data.truncate(at);
                data.extend_from_slice(&self.corpus[number][from..]);
            }
            _ => {
                let word = WORDS[self.random.below(WORDS.len())].as_bytes();
                data.splice(at..at, word.iter().copied());
            }
        }
        data.truncate(MOST);
    }
}

impl Iterator for Mutator {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let number = self.random.below(self.corpus.len());
        let mut data = self.corpus[number].clone();
        for _ in 0..1 + self.random.below(4) {
            self.change(&mut data);
        }
        Some(data)
    }
}
