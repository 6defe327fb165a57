//! `wxgate account import`: a file of accounts, batch by batch, in constant memory.
//!
//! A file is known by its content (SHA-256), and each batch is one transaction that also writes how many records are
//! done. So the command can be killed at any instant and given again: it passes over what is done and goes on. What a
//! record must be is decided in `flows::import`; reading, reporting and progress are the files below.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use clap::Args;
use serde::Serialize;

use super::{App, Failure, Outcome, refused};
use crate::flows::import;
use crate::store::{Import, Imported, Source};
use progress::Progress;
use records::{Format, Records};
use report::Report;

mod progress;
mod records;
mod report;

#[derive(Args)]
pub(in crate::cli) struct Options {
    /// CSV with a header line, or one JSON object a line: username, password_hash and, where wanted, nickname, level,
    /// disabled
    file: PathBuf,
    /// What the file is, if its ending (.csv, .jsonl) doesn't say
    #[arg(long)]
    format: Option<Format>,
    /// Where refused records are named, by their lines [default: FILE.refused]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Go through a file that was imported before from its start
    #[arg(long)]
    again: bool,
    /// Print the summary for a program
    #[arg(long)]
    json: bool,
}

/// Records of one transaction: few enough that logins beside it hardly wait, many enough that commits don't count.
const BATCH: usize = 500;

/// The end, as `--json` prints it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    records: u64,
    imported: u64,
    refused: u64,
    /// Of this run; none if nobody was refused.
    report: Option<String>,
    /// Nothing was done now: it was before.
    imported_before: bool,
}

pub(super) async fn run(app: &App, options: &Options) -> Outcome {
    let mut file = open(&options.file)?;
    let source = fingerprint(&mut file).map_err(|error| unreadable(&options.file, &error))?;
    let mut records = Records::open(file, &options.file, options.format)?;
    let path = options.report.clone().unwrap_or_else(|| beside(&options.file));
    let store = &app.rooms.store;
    let begun = store.find_import(&source).await.map_err(refused)?.filter(|_| !options.again);
    let (mut done, mut report) = match begun {
        Some(done) if done.finished => return told(options, &done),
        Some(done) => {
            let mut report = Report::open(&path, done.refused == 0)?;
            // Read again now that the report is locked: another process may have come further until just before.
            let done = store.find_import(&source).await.map_err(refused)?.unwrap_or_default();
            let line = records.pass_over(done.records)?;
            report.cut(done.refused, line)?;
            (done, report)
        }
        None => {
            let report = Report::begin(&path)?;
            if !store.begin_import(&source, options.again, app.rooms.now()).await.map_err(refused)? {
                return Err(elsewhere());
            }
            (Import::default(), report)
        }
    };
    let mut progress = Progress::start(records.length(), &done);
    while !done.finished {
        let batch = records.batch(BATCH)?;
        let last = batch.len() < BATCH;
        if last {
            progress.end();
        }
        let write = |refused: &[_]| report.write(refused);
        match import::batch(&app.rooms, &source, done, &batch, last, write).await.map_err(refused)? {
            Imported::Done(now) => done = now,
            Imported::Stopped(error) => return Err(report::unwritable(&path, &error)),
            Imported::Elsewhere => return Err(elsewhere()),
        }
        report.keep();
        progress.show(records.position(), &done);
    }
    report.finish();
    summary(options, &done, &path)
}

/// Says how it ended. Refused records are a failure, so that a script doesn't pass over them.
fn summary(options: &Options, done: &Import, report: &Path) -> Outcome {
    let Import { records, imported, refused, .. } = *done;
    let report = (refused > 0).then(|| report.display().to_string());
    if options.json {
        let report = report.clone();
        print(&Summary { records, imported, refused, report, imported_before: false });
    } else {
        println!("{imported} accounts were made of {records} records");
    }
    let Some(report) = report else { return Ok(()) };
    Err(Failure::Other(format!(
        "{refused} records were refused, and {report} says which lines and why. The others are in; \
         import the refused ones, mended, as a file of their own"
    )))
}

/// The same for a file whose import was finished before.
fn told(options: &Options, done: &Import) -> Outcome {
    let Import { records, imported, refused, .. } = *done;
    if options.json {
        print(&Summary { records, imported, refused, report: None, imported_before: true });
    } else {
        println!(
            "nothing to do: this file was imported before, {imported} accounts were made of {records} records \
             then (--again goes through it from the start)"
        );
    }
    if refused == 0 {
        return Ok(());
    }
    Err(Failure::Other(format!("{refused} records were refused then; its report says which lines and why")))
}

fn print(summary: &Summary) {
    println!("{}", serde_json::json!(summary));
}

fn elsewhere() -> Failure {
    Failure::Other("another wxgate is importing this file: look there".into())
}

fn open(path: &Path) -> Result<File, Failure> {
    let twice = "the file is read twice, so it must be a regular one: stdin and pipes can't be imported";
    if path == Path::new("-") {
        return Err(Failure::Other(twice.into()));
    }
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let kind = file.metadata().map_err(|error| unreadable(path, &error))?;
    if kind.is_file() { Ok(file) } else { Err(Failure::Other(format!("{}: {twice}", path.display()))) }
}

/// The file's SHA-256; it is at its start again then.
fn fingerprint(file: &mut File) -> std::io::Result<Source> {
    let mut context = digest::Context::new(&digest::SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        context.update(buffer.get(..read).unwrap_or_default());
    }
    file.rewind()?;
    let mut source = Source::default();
    source.copy_from_slice(context.finish().as_ref());
    Ok(source)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other(format!("{} can't be read: {error}", path.display()))
}

/// FILE.refused
fn beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".refused");
    name.into()
}
