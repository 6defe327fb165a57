//! `wxgate completions` and `wxgate man`: what a shell completes and what `man wxgate` shows, made from the commands
//! themselves, so that they can't tell of others.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man;

use super::{Arguments, Failure, Outcome};

#[derive(Args)]
pub(super) struct Completions {
    /// Which shell's
    shell: clap_complete::Shell,
}

#[derive(Args)]
pub(super) struct Pages {
    /// Write wxgate.1 and a page for each command into this folder instead; made if it isn't there
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn completions(options: &Completions) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "wxgate", &mut script);
    print(&script)
}

pub(super) fn man(options: &Pages) -> Outcome {
    let mut wxgate = Arguments::command().disable_help_subcommand(true);
    // Names and usage lines of the commands below it, in full.
    wxgate.build();
    match &options.dir {
        None => print(&front_page(&wxgate)?),
        Some(folder) => {
            let made = std::fs::create_dir_all(folder);
            made.map_err(|error| failed(folder, &error))?;
            write(folder, "wxgate.1", &front_page(&wxgate)?)?;
            wxgate.get_subcommands().try_for_each(|command| below(folder, command))
        }
    }
}

fn page_of(command: &Command) -> Man {
    // By itself it would name the last word of the command, and no version.
    Man::new(command.clone()).source(concat!("wxgate ", env!("CARGO_PKG_VERSION")))
}

/// The page of a command, and of those below it.
fn below(folder: &Path, command: &Command) -> Outcome {
    let man = page_of(command);
    let name = man.get_filename();
    let mut page = Vec::new();
    man.render(&mut page).map_err(unmade)?;
    write(folder, &name, &page)?;
    command.get_subcommands().try_for_each(|command| below(folder, command))
}

/// The page of `wxgate` itself, which also tells of what isn't an argument.
fn front_page(wxgate: &Command) -> Result<Vec<u8>, Failure> {
    let man = page_of(wxgate);
    let mut page = Vec::new();
    let mut render = || {
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        man.render_options_section(&mut page)?;
        man.render_subcommands_section(&mut page)?;
        page.write_all(MORE.as_bytes())?;
        man.render_version_section(&mut page)
    };
    render().map_err(unmade)?;
    Ok(page)
}

/// Whoever reads may stop before the end, as `head` does: that is no failure.
fn print(bytes: &[u8]) -> Outcome {
    match std::io::stdout().write_all(bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Other(format!("stdout can't be written: {error}")))
        }
        _ => Ok(()),
    }
}

fn write(folder: &Path, name: &str, page: &[u8]) -> Outcome {
    let path = folder.join(name);
    std::fs::write(&path, page).map_err(|error| failed(&path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Other(format!("{} can't be written: {error}", path.display()))
}

fn unmade(error: std::io::Error) -> Failure {
    Failure::Other(format!("the page can't be made: {error}"))
}

/// roff: `.B` is bold, `.TP` an item with its text, `\-` a hyphen that can be searched for and pasted.
const MORE: &str = r#".SH CONFIGURATION
Three layers, later ones win: the defaults, then
.I wxgate.toml
(\fB\-\-config\fR, else the working directory's), then the environment. \fBwxgate config show\fR prints what is in force,
\fBwxgate config check\fR lists every problem at once.
.SH ENVIRONMENT
.TP
.B WXGATE_SECTION__KEY
A setting, as in \fBWXGATE_TOKENS__TTL=1h\fR. A value that starts with [ is read as TOML. A variable that names a section but
no setting of it is refused.
.SH FILES
Of the Debian package:
.TP
.I /etc/wxgate/wxgate.toml
The configuration; \fBwxgate init \-\-dir /etc/wxgate\fR writes it, with its keys in
.IR /etc/wxgate/keys .
.TP
.I /var/lib/wxgate
The database, where it is SQLite's.
.TP
.I /usr/share/doc/wxgate/config.default.toml
Every setting with its default, explained.
.SH SIGNALS
Of \fBwxgate serve\fR:
.TP
.B SIGTERM, SIGINT
End. After SIGTERM \fI/readyz\fR says no and everything goes on for \fBhttp.drain\fR; then no new connections, and what is under way is
finished first.
.TP
.B SIGHUP
Read the configuration again and take its signing keys and column keys. A change of the files is noticed within seconds without
it. Other settings take effect at the next start; the log names those that differ.
.SH EXIT STATUS
.TP
.B 0
Done.
.TP
.B 1
It failed; standard error says why, and what to do.
.TP
.B 2
The command or the configuration was wrong.
.SH EXAMPLES
Try it, with a simulated WeChat and nothing to configure:
.PP
.RS
.nf
.B wxgate dev
.fi
.RE
.PP
A production configuration with its keys, as the service's user:
.PP
.RS
.nf
.B sudo \-u wxgate wxgate init \-\-dir /etc/wxgate \e
.B "    \-\-issuer https://auth.example.com \-\-appid wx0123456789abcdef"
.fi
.RE
.PP
The next signing key, and when which key signs:
.PP
.RS
.nf
.B sudo \-u wxgate wxgate \-\-config /etc/wxgate/wxgate.toml keys new
.B sudo \-u wxgate wxgate \-\-config /etc/wxgate/wxgate.toml keys plan
.fi
.RE
"#;
