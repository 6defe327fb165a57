//! `wxgate config check` and `wxgate config show`

use std::path::Path;

use clap::Subcommand;

use super::{Failure, Outcome, found, inspect};

#[derive(Subcommand)]
pub(super) enum Command {
    /// List every problem at once; exit code 2 if there is one
    Check,
    /// Print what is in force, secrets redacted
    Show,
}

pub(super) fn run(command: &Command, file: Option<&Path>) -> Outcome {
    let (config, problems) = inspect(file);
    if let (Command::Show, Some(config)) = (command, &config) {
        print!("{}", config.show());
    }
    if !problems.is_empty() {
        return Err(Failure::Config(problems));
    }
    if let Command::Check = command {
        let source =
            found(file).map_or("the defaults and the environment".into(), |file| file.display().to_string());
        println!("{source}: no problem found. (The database and WeChat were not asked.)");
    }
    Ok(())
}
