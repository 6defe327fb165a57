//! The report of an import: a line for each refused record, each exactly once.
//!
//! It is on the disk before the batch is committed, so it may be ahead of the database and never behind. The database
//! knows how many records are refused, and their lines stand in the file's order: so the first that many lines are the
//! committed ones, and resuming cuts off what comes after. A file that isn't this report is never cut or overwritten.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions, Permissions, TryLockError};
use std::io::{BufRead as _, BufReader, Error, ErrorKind, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::Failure;
use crate::flows::import::Refusal;

pub(super) struct Report {
    path: PathBuf,
    file: File,
    /// Bytes that belong to committed batches.
    kept: u64,
    /// Bytes written, the batch under way counted.
    written: Cell<u64>,
}

impl Report {
    /// An empty report. One that is empty already was begun by somebody who was killed before the import was.
    pub(super) fn begin(path: &Path) -> Result<Self, Failure> {
        let made =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
        let report = Self::of(path, made.map_err(|error| unwritable(path, &error))?)?;
        let settled = || {
            if report.file.metadata()?.len() > 0 {
                return Ok(false);
            }
            report.file.set_permissions(Permissions::from_mode(0o600))?;
            // Its name is on the disk as well.
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
            Ok(true)
        };
        match settled() {
            Ok(true) => Ok(report),
            Ok(false) => Err(stands(path)),
            Err(error) => Err(unwritable(path, &error)),
        }
    }

    /// The report of an import that was broken off; a new one if it may be absent.
    pub(super) fn open(path: &Path, may_be_absent: bool) -> Result<Self, Failure> {
        match OpenOptions::new().read(true).write(true).open(path) {
            // Elsewhere than before, perhaps: nothing is lost.
            Err(error) if error.kind() == ErrorKind::NotFound && may_be_absent => Self::begin(path),
            Err(error) => Err(Failure::Other(format!(
                "{}: the report of the import that was broken off can't be opened: {error} \
                 (--report names one elsewhere, --again begins anew)",
                path.display()
            ))),
            Ok(file) => Self::of(path, file),
        }
    }

    /// Cuts off what was never committed: the import has come to `refused` refused records, and to the record at `line`.
    pub(super) fn cut(&mut self, refused: u64, line: u64) -> Result<(), Failure> {
        let length = self.length_of(refused, line).map_err(|error| unwritable(&self.path, &error))?;
        self.kept = length.ok_or_else(|| {
            Failure::Other(format!(
                "{} is not the report of the import that was broken off: --report names that one",
                self.path.display()
            ))
        })?;
        self.written.set(self.kept);
        self.file.set_len(self.kept).map_err(|error| unwritable(&self.path, &error))
    }

    /// Locked, so that two processes don't cut each other's lines; the lock ends with the process.
    fn of(path: &Path, file: File) -> Result<Self, Failure> {
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file, kept: 0, written: Cell::new(0) }),
            Err(TryLockError::WouldBlock) => {
                let text = "another wxgate writes this report: is the import running already?";
                Err(Failure::Other(format!("{}: {text}", path.display())))
            }
            Err(TryLockError::Error(error)) => Err(unwritable(path, &error)),
        }
    }

    /// The length of its first `refused` lines; none if this can't be the report of an import that has come to `line`:
    /// those lines are of records up to there, what follows is of records beyond.
    fn length_of(&self, refused: u64, line: u64) -> Result<Option<u64>, Error> {
        let mut reader = BufReader::new(&self.file);
        let (mut text, mut lines, mut length, mut before) = (Vec::new(), 0, 0, 0);
        loop {
            text.clear();
            let read = reader.read_until(b'\n', &mut text)? as u64;
            let committed = lines < refused;
            if read == 0 {
                return Ok((!committed).then_some(length));
            }
            match number(&text) {
                Some(number) if number > before && (number <= line) == committed => before = number,
                // Where the machine itself went down, the last line may be torn.
                None if !committed && !text.ends_with(b"\n") && text.starts_with(b"l") => {}
                _ => return Ok(None),
            }
            if committed {
                length += read;
            }
            lines += 1;
        }
    }

    /// Writes the lines of the batch under way, in place of what an earlier try at it wrote, down to the disk.
    pub(super) fn write(&self, refused: &[(u64, Refusal)]) -> Result<(), Error> {
        if refused.is_empty() && self.written.get() == self.kept {
            return Ok(());
        }
        let mut text = String::new();
        for (line, refusal) in refused {
            // Into memory: it can't fail.
            let _ = writeln!(text, "line {line}: {refusal}");
        }
        let mut file = &self.file;
        file.set_len(self.kept)?;
        file.seek(SeekFrom::Start(self.kept))?;
        self.written.set(self.kept + text.len() as u64);
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    /// The batch under way is committed.
    pub(super) fn keep(&mut self) {
        self.kept = self.written.get();
    }

    /// Takes the file away again if nobody was refused.
    pub(super) fn finish(self) {
        if self.kept == 0 {
            // An empty file that stays says the same.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// The 17 of a whole `line 17: …`.
fn number(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('\n')?;
    text.strip_prefix("line ")?.split_once(": ")?.0.parse().ok()
}

fn stands(path: &Path) -> Failure {
    Failure::Other(format!(
        "{} stands already and is never overwritten: move it away, or name another file with --report",
        path.display()
    ))
}

pub(super) fn unwritable(path: &Path, error: &Error) -> Failure {
    Failure::Other(format!("the report {} can't be written: {error}", path.display()))
}
