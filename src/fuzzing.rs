//! What the fuzz targets (`fuzz/`) run: each takes any bytes, and panics where the gateway does what it must not.
//!
//! Built for them and for the tests alone. Each stands in the room whose inside it asks; here is the list of them, and the test
//! that goes through what is committed of their corpus.

pub use crate::config::fuzzing::config;
pub use crate::http::fuzzing::{authorization, forwarded, login_body};
pub use crate::tokens::fuzzing::jwt;
pub use crate::vault::fuzzing::envelope;
pub use crate::wechat::fuzzing::{encrypted_data, wechat_answer};

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    type Target = fn(&[u8]);

    const TARGETS: [(&str, Target); 8] = [
        ("authorization", authorization),
        ("config", config),
        ("encrypted_data", encrypted_data),
        ("envelope", envelope),
        ("forwarded", forwarded),
        ("jwt", jwt),
        ("login_body", login_body),
        ("wechat_answer", wechat_answer),
    ];

    fn files(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder);
        let mut files: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn every_target_gets_through_its_corpus_and_through_what_is_like_it() {
        for (name, target) in TARGETS {
            let corpus = files(&format!("corpus/{name}"));
            assert!(corpus.len() >= 5, "{name} has {} files", corpus.len());
            for file in corpus {
                let seed = std::fs::read(file).unwrap();
                target(&seed);
                // Cut and altered at places all over it.
                for part in 0..32 {
                    let at = seed.len() * part / 32;
                    target(&seed[..at]);
                    let mut altered = seed.clone();
                    if let Some(byte) = altered.get_mut(at) {
                        *byte ^= 1 << (part % 8);
                    }
                    target(&altered);
                }
            }
        }
    }

    #[test]
    fn each_has_its_program() {
        let programs = files("fuzz_targets").into_iter().map(|path| path.file_stem().unwrap().to_owned());
        assert_eq!(programs.collect::<Vec<_>>(), TARGETS.map(|(name, _)| std::ffi::OsString::from(name)));
    }
}
