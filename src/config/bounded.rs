//! Reads a file that is to be small and at hand: a pipe or a device would hold up the reader for ever, a huge file would fill
//! the memory.

use std::io::{Error, ErrorKind, Read as _, Result};
use std::path::Path;

use zeroize::Zeroizing;

/// More than any configuration or key, bytes.
const MOST: u64 = 1024 * 1024;

/// What is in the file. An error's text says what is wrong with it.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    // Looked at before it is opened: opening a pipe waits for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    std::fs::File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// The same, as text.
pub(super) fn read_text(path: &Path) -> Result<Zeroizing<String>> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::new(ErrorKind::InvalidData, "it is no text in UTF-8"))?;
    Ok(Zeroizing::new(text.to_owned()))
}
