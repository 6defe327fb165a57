//! `wxgate account add|passwd`, and where the password comes from: a terminal without echo, or stdin. Never an argument:
//! those are for everybody on the machine to read.

use std::io::{BufRead as _, IsTerminal as _, Read as _};

use clap::Args;
use zeroize::Zeroizing;

use super::{App, Failure, Outcome, refused, user};
use crate::flows::operator;
use crate::flows::username::Username;
use crate::secret::Password;

#[derive(Args)]
pub(in crate::cli) struct Ask {
    /// Read the password as one line from stdin, instead of asking twice at the terminal
    #[arg(long)]
    password_stdin: bool,
}

/// No password is as long; what comes then isn't read.
const LONGEST_LINE: u64 = 4096;

pub(super) async fn add(app: &App, username: &str, ask: &Ask) -> Outcome {
    let username = Username::read(username, "USERNAME").map_err(refused)?;
    let added = operator::add(&app.rooms, &username, &ask.password()?).await.map_err(refused)?;
    println!("{}", added.id);
    Ok(())
}

pub(super) async fn change(app: &App, named: &str, ask: &Ask) -> Outcome {
    let user = user(app, named).await?;
    if user.username.is_none() {
        return Err(Failure::Other(format!("{} has no account, and so no password", user.id)));
    }
    operator::set_password(&app.rooms, &user, &ask.password()?).await.map_err(refused)?;
    println!("{} has a new password; tokens of before have ended", user.id);
    Ok(())
}

impl Ask {
    fn password(&self) -> Result<Password, Failure> {
        if self.password_stdin { from_stdin() } else { from_terminal() }
    }
}

fn from_terminal() -> Result<Password, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = "there is no terminal to ask at: give the password as one line with --password-stdin";
        return Err(Failure::Other(text.into()));
    }
    let ask = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt).map(Zeroizing::new);
        typed.map_err(|error| Failure::Other(format!("the password can't be read: {error}")))
    };
    let (first, second) = (ask("password: ")?, ask("again: ")?);
    if *first != *second {
        return Err(Failure::Other("these are two different passwords: nothing was changed".into()));
    }
    Ok(Password::new(first.as_str()))
}

fn from_stdin() -> Result<Password, Failure> {
    let failed = |text: String| Failure::Other(format!("no password can be read from stdin: {text}"));
    let mut line = Zeroizing::new(Vec::new());
    let read = std::io::stdin().lock().take(LONGEST_LINE).read_until(b'\n', &mut line);
    read.map_err(|error| failed(error.to_string()))?;
    let end =
        |line: &[u8]| line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line).len());
    let length = end(&line).unwrap_or(line.len());
    line.truncate(length);
    match std::str::from_utf8(&line) {
        Ok("") => Err(failed("it is empty".into())),
        Ok(text) => Ok(Password::new(text)),
        Err(_) => Err(failed("it is not UTF-8".into())),
    }
}
