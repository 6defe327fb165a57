//! A JSON document that is made seldom and read often: its bytes, shorter ones for who can take them, and their names.

use std::io::Write as _;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// Longer ones are compressed fast rather than well.
const LONG: usize = 64 * 1024;

/// The document in every form that is served.
pub struct Document {
    /// As it is.
    pub plain: Form,
    /// With gzip, where that makes it shorter by a fifth.
    pub gzip: Option<Form>,
}

/// One form of a document.
pub struct Form {
    /// What is sent.
    pub bytes: Bytes,
    /// Its strong ETag, quotes included (RFC 9110 §8.8.3: another one for each form).
    pub etag: String,
}

impl Document {
    /// The document of these bytes.
    pub fn of(json: Vec<u8>) -> Self {
        let name = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &json).as_ref()[..12]);
        let gzip = compressed(&json).filter(|gzip| gzip.len() <= json.len() / 5 * 4);
        let gzip = gzip.map(|bytes| Form { bytes: bytes.into(), etag: format!("\"{name}-gzip\"") });
        Self { plain: Form { bytes: json.into(), etag: format!("\"{name}\"") }, gzip }
    }
}

fn compressed(json: &[u8]) -> Option<Vec<u8>> {
    let mut gzip =
        GzEncoder::new(Vec::new(), if json.len() > LONG { Compression::fast() } else { Compression::best() });
    gzip.write_all(json).and_then(|()| gzip.finish()).ok()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_document_is_compressed_where_that_pays_and_each_form_has_a_name_of_its_own() {
        let short = Document::of(b"{}".to_vec());
        assert!(short.gzip.is_none());
        let json = br#"[{"sub":"01a1fce9-f066-7826-9be7-0cf2bb5d62bb","notBefore":1793500000}]"#.repeat(20);
        let long = Document::of(json.clone());
        let gzip = long.gzip.unwrap();
        assert!(gzip.bytes.len() * 4 < json.len() && gzip.etag != long.plain.etag);
        let mut back = Vec::new();
        flate2::read::GzDecoder::new(&*gzip.bytes).read_to_end(&mut back).unwrap();
        assert_eq!(back, json);
    }
}
