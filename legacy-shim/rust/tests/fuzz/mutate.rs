//! A small mutator with a fixed seed: bits, bytes, pieces of the corpus, words of the formats. The proxy's fuzz targets use
//! this file too, with words of their own.

use crate::targets::tamper::Random;

const MOST: usize = 4096;
/// Endless inputs, made of those of a corpus.
pub(crate) struct Mutator {
    corpus: Vec<Vec<u8>>,
    words: &'static [&'static str],
    random: Random,
}

impl Mutator {
    pub(crate) fn new(name: &str, corpus: Vec<Vec<u8>>, words: &'static [&'static str]) -> Self {
        Mutator { corpus, words, random: Random::of(name.as_bytes()) }
    }

    /// Each word and each file of the corpus, repeated; and in the middle of a file.
    pub(crate) fn long(&self, length: usize) -> Vec<Vec<u8>> {
        let words = self.words.iter().map(|word| word.as_bytes());
        let pieces = words.chain(self.corpus.iter().map(Vec::as_slice)).filter(|piece| !piece.is_empty());
        let repeated = pieces.map(|piece| piece.repeat(length / piece.len()));
        repeated
            .enumerate()
            .flat_map(|(number, long)| {
                let file = &self.corpus[number % self.corpus.len()];
                let (start, end) = file.split_at(file.len() / 2);
                [[start, &long, end].concat(), long]
            })
            .collect()
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.random.below(data.len());
        let end = (at + self.random.below(16) + 1).min(data.len());
        match self.random.below(9) {
            0 if !data.is_empty() => data[at] ^= 1 << self.random.below(8),
            1 if !data.is_empty() => data[at] = self.random.next() as u8,
            2 => drop(data.drain(at..end)),
            3 => data.insert(at, self.random.next() as u8),
            4 => {
                let piece = data[at..end].to_vec();
                let times = 1 + self.random.below(40);
                data.splice(at..at, piece.repeat(times));
            }
            5 => {
                let number = self.random.below(self.corpus.len());
                let from = self.random.below(self.corpus[number].len());
                data.truncate(at);
                data.extend_from_slice(&self.corpus[number][from..]);
            }
            6 => data.reverse(),
            _ => {
                let word = self.random.pick(self.words).as_bytes();
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
