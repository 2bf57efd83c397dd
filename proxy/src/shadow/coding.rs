//! Content codings undone: what went compressed over the wire, as it was before. Bounded, whatever the bytes say they are.

use std::io::Read;

use flate2::read::MultiGzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use http::HeaderMap;
use http::header::CONTENT_ENCODING;

/// Most codings on top of each other.
const MOST: usize = 3;
/// Largest window of zstd, as a power of two: what RFC 9659 allows.
const ZSTD_WINDOW: u32 = 23;
/// Bytes that brotli takes at a time.
const BROTLI_BUFFER: usize = 4096;

/// Why there is no plain body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Undecoded {
    /// A coding that is not known here, or bytes that are not what the coding says.
    Unknown,
    /// More than was to be read.
    TooLarge,
}

/// The codings of a body, in the order in which they were put on.
pub(super) fn codings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let names = values.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase());
    names.filter(|name| !name.is_empty() && name != "identity").collect()
}

/// The body without its codings, if that is no more than so many bytes.
pub(super) fn decoded(codings: &[String], body: &[u8], most: usize) -> Result<Vec<u8>, Undecoded> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    if codings.len() > MOST {
        return Err(Undecoded::Unknown);
    }
    let mut plain = body.to_vec();
    for coding in codings.iter().rev() {
        plain = match coding.as_str() {
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&plain[..]), most),
            // Both are called deflate.
            "deflate" => match inflate(true, &plain, most) {
                Err(Undecoded::Unknown) => inflate(false, &plain, most),
                read => read,
            },
            "br" => read(brotli::Decompressor::new(&plain[..], BROTLI_BUFFER), most),
            "zstd" => zstd(&plain, most),
            _ => Err(Undecoded::Unknown),
        }?;
    }
    Ok(plain)
}

/// The reader of flate2 takes the end of the bytes for the end of the stream; a body that broke off is none.
fn inflate(has_header: bool, body: &[u8], most: usize) -> Result<Vec<u8>, Undecoded> {
    let (mut stream, mut out) = (Decompress::new(has_header), Vec::with_capacity(most.min(1 << 16)));
    loop {
        let rest = usize::try_from(stream.total_in()).ok().and_then(|read| body.get(read..));
        let rest = rest.ok_or(Undecoded::Unknown)?;
        let status = stream.decompress_vec(rest, &mut out, FlushDecompress::None);
        let status = status.map_err(|_| Undecoded::Unknown)?;
        if out.len() > most {
            return Err(Undecoded::TooLarge);
        }
        match status {
            Status::StreamEnd => return Ok(out),
            _ if out.len() == out.capacity() => out.reserve(1 << 16),
            _ => return Err(Undecoded::Unknown),
        }
    }
}

fn zstd(body: &[u8], most: usize) -> Result<Vec<u8>, Undecoded> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(|_| Undecoded::Unknown)?;
    decoder.window_log_max(ZSTD_WINDOW).map_err(|_| Undecoded::Unknown)?;
    read(decoder, most)
}

fn read(reader: impl Read, most: usize) -> Result<Vec<u8>, Undecoded> {
    let (mut body, most) = (Vec::new(), most as u64);
    match reader.take(most + 1).read_to_end(&mut body) {
        Ok(read) if read as u64 > most => Err(Undecoded::TooLarge),
        Ok(_) => Ok(body),
        Err(_) => Err(Undecoded::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn coded(coding: &str, body: &[u8]) -> Vec<u8> {
        match coding {
            "gzip" => {
                let mut out = GzEncoder::new(Vec::new(), Compression::default());
                out.write_all(body).unwrap();
                out.finish().unwrap()
            }
            "zlib" => {
                let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
                out.write_all(body).unwrap();
                out.finish().unwrap()
            }
            "raw" => {
                let mut out = DeflateEncoder::new(Vec::new(), Compression::default());
                out.write_all(body).unwrap();
                out.finish().unwrap()
            }
            "br" => {
                let mut out = Vec::new();
                brotli::CompressorReader::new(body, 4096, 5, 20).read_to_end(&mut out).unwrap();
                out
            }
            _ => zstd::stream::encode_all(body, 3).unwrap(),
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_coding_is_undone_within_its_bound_and_nonsense_is_none() {
        let page = b"<p>a page</p>".repeat(500);
        for (coding, name) in [
            ("gzip", "gzip"),
            ("gzip", "x-gzip"),
            ("zlib", "deflate"),
            ("raw", "deflate"),
            ("br", "br"),
            ("zstd", "zstd"),
        ] {
            let packed = coded(coding, &page);
            let name = names(&[name]);
            assert_eq!(decoded(&name, &packed, page.len()), Ok(page.clone()), "{coding}");
            assert_eq!(decoded(&name, &packed, page.len() - 1), Err(Undecoded::TooLarge), "{coding}");
            assert_eq!(
                decoded(&name, &packed[..packed.len() / 2], 1 << 20),
                Err(Undecoded::Unknown),
                "{coding}"
            );
            assert_eq!(decoded(&name, b"\xff\xffnonsense", 99), Err(Undecoded::Unknown), "{coding}");
            assert_eq!(decoded(&name, b"", 99), Ok(Vec::new()), "{coding}");
        }
        assert_eq!(decoded(&names(&["compress"]), b"x", 9), Err(Undecoded::Unknown));
        assert_eq!(decoded(&[], b"x", 9), Ok(b"x".to_vec()));
    }

    #[test]
    fn codings_on_top_of_each_other_are_undone_from_the_last_one() {
        let packed = coded("br", &coded("gzip", b"page"));
        let mut headers = HeaderMap::new();
        headers.append(CONTENT_ENCODING, "GZIP, identity".parse().unwrap());
        headers.append(CONTENT_ENCODING, " br".parse().unwrap());
        assert_eq!(codings(&headers), ["gzip", "br"]);
        assert_eq!(decoded(&codings(&headers), &packed, 99), Ok(b"page".to_vec()));
        assert_eq!(decoded(&names(&["br", "br", "br", "br"]), &packed, 99), Err(Undecoded::Unknown));
    }
}
