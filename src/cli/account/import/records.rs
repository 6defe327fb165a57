//! Reading a file of accounts, record by record: CSV with a header, or one JSON object a line.
//!
//! A record that can't be read is refused by its line, and reading goes on. What is wrong with the whole file (a column
//! nobody knows, a quote that is never closed) is refused before or instead.

use std::fs::File;
use std::path::Path;

use clap::ValueEnum;
use serde::Deserialize;

use super::{Failure, unreadable};
use crate::flows::import::{Numbered, Record, Refusal};
use crate::secret::PasswordHash;
use lines::Lines;

mod lines;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With a header line
    Csv,
    /// One JSON object a line
    Jsonl,
}

/// Far above what fits into the columns: longer is a quote left open, or no file of accounts at all.
const LONGEST: u64 = 1 << 16;

const COLUMNS: [&str; 5] = ["username", "password_hash", "nickname", "level", "disabled"];
const REQUIRED: [&str; 2] = ["username", "password_hash"];

pub(super) struct Records<'p> {
    path: &'p Path,
    length: u64,
    reader: Reader,
}

enum Reader {
    Csv { csv: Box<csv::Reader<Lines>>, header: Vec<String>, row: csv::ByteRecord },
    Jsonl { lines: Lines, line: Vec<u8> },
}

impl<'p> Records<'p> {
    /// `file` is at its start; `path` names it in errors, and by its ending.
    pub(super) fn open(file: File, path: &'p Path, format: Option<Format>) -> Result<Self, Failure> {
        let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
        let by_ending = match ending.as_deref().and_then(|ending| ending.to_str()) {
            Some("csv") => Some(Format::Csv),
            Some("jsonl") => Some(Format::Jsonl),
            _ => None,
        };
        let format = format.or(by_ending).ok_or_else(|| {
            let text = "the ending says neither .csv nor .jsonl: say --format csv or --format jsonl";
            Failure::Other(format!("{}: {text}", path.display()))
        })?;
        let length = file.metadata().map_err(|error| unreadable(path, &error))?.len();
        let lines = Lines::open(file).map_err(|error| unreadable(path, &error))?;
        let reader = match format {
            Format::Jsonl => Reader::Jsonl { lines, line: Vec::new() },
            Format::Csv => {
                let lines = lines.with_records_up_to(LONGEST);
                // Rows of other lengths are ours to refuse; an error would be all that is left of them.
                let mut csv = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(lines);
                let mut row = csv::ByteRecord::new();
                csv.read_byte_record(&mut row).map_err(|error| broken(path, csv.get_ref(), error))?;
                let header =
                    header(&row).map_err(|text| Failure::Other(format!("{}: {text}", path.display())))?;
                Reader::Csv { csv: Box::new(csv), header, row }
            }
        };
        Ok(Self { path, length, reader })
    }

    /// Bytes of the file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes read.
    pub(super) fn position(&self) -> u64 {
        match &self.reader {
            Reader::Csv { csv, .. } => csv.get_ref().position(),
            Reader::Jsonl { lines, .. } => lines.position(),
        }
    }

    /// Goes past records that are done already; the line of the last one.
    pub(super) fn pass_over(&mut self, records: u64) -> Result<u64, Failure> {
        let mut line = 0;
        for _ in 0..records {
            let Some(record) = self.next()? else {
                let text = "fewer records than were read before: was that with another --format?";
                return Err(Failure::Other(format!("{}: {text}", self.path.display())));
            };
            line = record.line;
        }
        Ok(line)
    }

    /// The next records: fewer than `most` only at the end of the file.
    pub(super) fn batch(&mut self, most: usize) -> Result<Vec<Numbered>, Failure> {
        let mut batch = Vec::with_capacity(most);
        while batch.len() < most {
            match self.next()? {
                Some(record) => batch.push(record),
                None => break,
            }
        }
        Ok(batch)
    }

    fn next(&mut self) -> Result<Option<Numbered>, Failure> {
        match &mut self.reader {
            Reader::Csv { csv, header, row } => {
                csv.get_mut().begin_record();
                match csv.read_byte_record(row) {
                    Ok(false) => Ok(None),
                    Ok(true) => {
                        // It ends on the line read last. (csv's own position is before empty lines, and knows no \r\n.)
                        let more = row.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
                        Ok(Some(Numbered { line: csv.get_ref().line() - more, record: of_row(header, row) }))
                    }
                    Err(error) => Err(broken(self.path, csv.get_ref(), error)),
                }
            }
            Reader::Jsonl { lines, line } => loop {
                let Some(whole) = lines.next(line, LONGEST).map_err(|error| unreadable(self.path, &error))?
                else {
                    return Ok(None);
                };
                if !whole {
                    return Ok(Some(Numbered { line: lines.line(), record: Err(Refusal::TooLong) }));
                }
                if !line.trim_ascii().is_empty() {
                    return Ok(Some(Numbered { line: lines.line(), record: of_json(line) }));
                }
            },
        }
    }
}

/// The columns, all of them known. A file without a header begins with a name and a hash, which are not to be shown: so
/// a column is named only if others make it a header, and only if it looks like a name.
fn header(row: &csv::ByteRecord) -> Result<Vec<String>, String> {
    let header: Vec<String> =
        row.iter().map(|cell| String::from_utf8_lossy(cell).trim().to_owned()).collect();
    if !header.iter().any(|column| COLUMNS.contains(&column.as_str())) {
        return Err("the first line must name the columns, username and password_hash at least".into());
    }
    for (index, column) in header.iter().enumerate() {
        if !COLUMNS.contains(&column.as_str()) {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ' | '.');
            let shown = if !column.is_empty() && column.len() <= 64 && column.chars().all(plain) {
                format!("column {column:?}")
            } else {
                format!("column number {}", index + 1)
            };
            return Err(format!("{shown} is unknown; there are {}", COLUMNS.join(", ")));
        }
        if header.iter().take(index).any(|before| before == column) {
            return Err(format!("column {column:?} stands twice"));
        }
    }
    match REQUIRED.into_iter().find(|column| !header.iter().any(|name| name == column)) {
        Some(missing) => Err(format!("column {missing:?} is missing")),
        None => Ok(header),
    }
}

fn of_row(header: &[String], row: &csv::ByteRecord) -> Result<Record, Refusal> {
    if row.len() != header.len() {
        return Err(Refusal::Fields { has: row.len(), header: header.len() });
    }
    let mut record = Record::default();
    for (column, cell) in header.iter().zip(row) {
        let text = std::str::from_utf8(cell).map_err(|_| Refusal::NotText)?.to_owned();
        match column.as_str() {
            "username" => record.username = Some(text),
            "password_hash" => record.password_hash = Some(PasswordHash::new(text)),
            "nickname" => record.nickname = Some(text),
            "level" => record.level = Some(text),
            _ => record.disabled = Some(text),
        }
    }
    Ok(record)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    username: Option<String>,
    password_hash: Option<String>,
    nickname: Option<String>,
    level: Option<Scalar>,
    disabled: Option<Scalar>,
}

/// true and 1 as JSON has them, or as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(serde_json::Number),
    Text(String),
}

impl Scalar {
    fn text(self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text,
        }
    }
}

fn of_json(line: &[u8]) -> Result<Record, Refusal> {
    // Its own words would quote the member.
    let object: Object = serde_json::from_slice(line)
        .map_err(|error| if error.is_data() { Refusal::NotThisObject } else { Refusal::NotJson })?;
    Ok(Record {
        username: object.username,
        password_hash: object.password_hash.map(PasswordHash::new),
        nickname: object.nickname,
        level: object.level.map(Scalar::text),
        disabled: object.disabled.map(Scalar::text),
    })
}

/// Where CSV can't go on.
fn broken(path: &Path, lines: &Lines, error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Failure::Other(format!(
                "{}: a record of more than {LONGEST} bytes begins at line {} or before: is a quote never closed? \
             The records before it are done, but for up to {} of them",
                path.display(),
                lines.began(),
                super::BATCH
            ))
        }
        csv::ErrorKind::Io(error) => unreadable(path, &error),
        _ => Failure::Other(format!("{}: no CSV beyond line {}", path.display(), lines.line())),
    }
}
