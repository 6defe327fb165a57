//! A file that is given out line by line, so that whoever reads it can say at any time on which line they are.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read, Result};

const BOM: &[u8] = "\u{feff}".as_bytes();

pub(super) struct Lines {
    file: BufReader<File>,
    /// The line of the last byte given out, from 1.
    line: u64,
    /// The next byte begins a line.
    fresh: bool,
    position: u64,
    /// Where the record under way began.
    record: (u64, u64),
    /// Bytes that a record may take.
    longest: u64,
}

impl Lines {
    /// A byte order mark is passed over.
    pub(super) fn open(file: File) -> Result<Self> {
        let mut file = BufReader::with_capacity(1 << 16, file);
        let mark = if file.fill_buf()?.starts_with(BOM) { BOM.len() } else { 0 };
        file.consume(mark);
        let position = mark as u64;
        Ok(Self { file, line: 0, fresh: true, position, record: (1, position), longest: u64::MAX })
    }

    /// Fails instead of giving out more than this since [`begin_record`](Self::begin_record).
    pub(super) fn with_records_up_to(self, longest: u64) -> Self {
        Self { longest, ..self }
    }

    pub(super) fn begin_record(&mut self) {
        self.record = (self.line + u64::from(self.fresh), self.position);
    }

    /// The line on which the record under way began, empty lines before it counted to it.
    pub(super) fn began(&self) -> u64 {
        self.record.0
    }

    pub(super) fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Reads the next line into `line`; false if it is longer than that, none at the end.
    pub(super) fn next(&mut self, line: &mut Vec<u8>, longest: u64) -> Result<Option<bool>> {
        line.clear();
        let (mut chunk, mut whole, mut any) = ([0; 4096], true, false);
        loop {
            let read = self.read(&mut chunk)?;
            any |= read > 0;
            whole &= (line.len() + read) as u64 <= longest;
            if whole {
                line.extend_from_slice(chunk.get(..read).unwrap_or_default());
            }
            if read == 0 || self.fresh {
                return Ok(any.then_some(whole));
            }
        }
    }
}

impl Read for Lines {
    /// Never beyond the end of a line.
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        if self.position - self.record.1 > self.longest {
            return Err(Error::from(ErrorKind::InvalidData));
        }
        let there = self.file.fill_buf()?;
        let there = there.get(..there.len().min(out.len())).unwrap_or_default();
        let end = there.iter().position(|byte| *byte == b'\n').map_or(there.len(), |end| end + 1);
        let (Some(from), Some(to)) = (there.get(..end), out.get_mut(..end)) else { return Ok(0) };
        let Some(last) = from.last() else { return Ok(0) };
        if self.fresh {
            self.line += 1;
        }
        self.fresh = *last == b'\n';
        to.copy_from_slice(from);
        self.file.consume(end);
        self.position += end as u64;
        Ok(end)
    }
}
