//! A PostgreSQL or MariaDB of a test's own: to be killed, stopped, started again.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sea_orm::ConnectOptions;

use super::{quiet_port, soon};
use crate::proxies::stage::{found, is_root};
use crate::world::Kind;

pub(super) struct Server {
    kind: Kind,
    port: u16,
    /// For its log and its socket.
    folder: tempfile::TempDir,
    data: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// A new one, which answers.
    pub(super) async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Self::start_in(kind, folder, data).await
    }

    /// The same, its data in this folder, which is empty or not there.
    pub(super) async fn start_in(kind: Kind, folder: tempfile::TempDir, data: PathBuf) -> Self {
        let mut server = Self { kind, port: quiet_port(), folder, data, child: None };
        server.own(server.folder.path());
        if server.data.exists() {
            server.own(&server.data);
        }
        server.install();
        server.go().await;
        server
    }

    /// As its databases' addresses begin.
    pub(super) fn url(&self) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://wxgate@127.0.0.1:{}/postgres", self.port),
            _ => format!("mysql://root@127.0.0.1:{}/mysql", self.port),
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and again where it has ended, until it answers.
    pub(super) async fn go(&mut self) {
        for _ in 0..20 {
            if self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some()) {
                self.child = Some(self.command().spawn().unwrap());
            }
            let mut options = ConnectOptions::new(self.url());
            let patience = Duration::from_secs(3);
            options.max_connections(1).connect_timeout(patience).acquire_timeout(patience);
            if let Ok(connection) = sea_orm::Database::connect(options.sqlx_logging(false).clone()).await
                && connection.ping().await.is_ok()
            {
                drop(connection.close().await);
                return;
            }
        }
        panic!("the server does not start: {}", std::fs::read_to_string(self.log()).unwrap());
    }

    /// Ends it and whoever works for it at once.
    pub(super) async fn kill(&mut self) {
        let family = self.family();
        signal("-KILL", &family);
        self.child.take().unwrap().wait().unwrap();
        // Whoever still holds its memory would keep it from starting again.
        soon("a killed server is gone", async || family.iter().all(|id| is_gone(*id))).await;
    }

    /// Stops it where it stands: connections stay open, and nothing is answered.
    pub(super) fn freeze(&self) {
        signal("-STOP", &self.family());
    }

    /// Goes on with what it was doing.
    pub(super) fn thaw(&self) {
        signal("-CONT", &self.family());
    }

    /// The server and the processes it has made, itself first.
    pub(super) fn family(&self) -> Vec<u32> {
        let parent = self.child.as_ref().unwrap().id();
        let mut family = vec![parent];
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if stat(id).is_some_and(|(_, of)| of == parent) {
                family.push(id);
            }
        }
        family
    }

    /// Runs a command as the user whom the server runs as; what came of it.
    pub(super) fn run(&self, command: &mut Command) -> std::process::Output {
        self.of_user(command).output().unwrap()
    }

    fn install(&self) {
        let mut install = match self.kind {
            Kind::Postgres => {
                let mut command = Command::new(postgres("initdb"));
                let flags = ["-U", "wxgate", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
                // Small: a disk that fills should do so soon.
                command.arg("-D").arg(&self.data).args(flags).arg("--wal-segsize=1");
                command
            }
            _ => {
                let mut command = Command::new(found("mariadb-install-db"));
                command.args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]);
                command.arg(format!("--datadir={}", self.data.display()));
                // One that starts clears away whatever temporary tables it finds, a neighbour's among them.
                command.arg(format!("--tmpdir={}", self.folder.path().display()));
                command
            }
        };
        let installed = self.run(&mut install);
        assert!(installed.status.success(), "{installed:?}");
    }

    /// No fsync: a killed process loses nothing that the kernel has, and none of these tests cuts the power.
    fn command(&self) -> Command {
        let (folder, port) = (self.folder.path().display(), self.port);
        let mut command = match self.kind {
            Kind::Postgres => {
                let mut command = Command::new(postgres("postgres"));
                command.arg("-D").arg(&self.data).args(["-p", &port.to_string()]);
                for setting in [
                    "listen_addresses=127.0.0.1",
                    &format!("unix_socket_directories={folder}"),
                    "max_connections=40",
                    "shared_buffers=16MB",
                    "min_wal_size=2MB",
                    "max_wal_size=8MB",
                    "fsync=off",
                ] {
                    command.args(["-c", setting]);
                }
                command
            }
            _ => {
                let mut command = Command::new(found("mariadbd"));
                command.args(["--no-defaults", "--bind-address=127.0.0.1", "--skip-log-bin"]);
                command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-buffer-pool-size=32M"]);
                command.arg(format!("--datadir={}", self.data.display()));
                command.arg(format!("--socket={folder}/socket")).arg(format!("--pid-file={folder}/pid"));
                command.arg(format!("--port={port}")).arg(format!("--tmpdir={folder}"));
                command
            }
        };
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.of_user(&mut command);
        command
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Neither server runs as root: as root, each gets the user that its package made.
    fn of_user<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        if let Some((user, group)) = self.user() {
            command.uid(user).gid(group);
        }
        command.current_dir(self.folder.path())
    }

    fn user(&self) -> Option<(u32, u32)> {
        let name = if self.kind == Kind::Postgres { "postgres" } else { "mysql" };
        let number = |flag| {
            let output = Command::new("id").args([flag, name]).output().unwrap();
            String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
        };
        is_root().then(|| (number("-u"), number("-g")))
    }

    /// Gives it to that user.
    fn own(&self, path: &Path) {
        if let Some((user, group)) = self.user() {
            std::os::unix::fs::chown(path, Some(user), Some(group)).unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let id = child.id();
            if stat(id).is_some_and(|(state, _)| state != 'Z') {
                self.child = Some(child);
                signal("-KILL", &self.family());
                child = self.child.take().unwrap();
            }
            let _ = child.wait();
        }
    }
}

fn postgres(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").expect("PostgreSQL: scripts/test installs it");
    let folders = versions.flatten().map(|version| version.path().join("bin").join(name));
    folders.filter(|path| path.exists()).max().expect("PostgreSQL: scripts/test installs it")
}

/// One that has ended meanwhile needs none.
fn signal(signal: &str, ids: &[u32]) {
    let ids = ids.iter().map(ToString::to_string);
    let _ = Command::new("kill").arg(signal).args(ids).stderr(Stdio::null()).status().unwrap();
}

fn is_gone(id: u32) -> bool {
    stat(id).is_none_or(|(state, _)| state == 'Z')
}

/// A process's state and its parent.
fn stat(id: u32) -> Option<(char, u32)> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Its name, in brackets, may hold anything.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    Some((rest.next()?.chars().next()?, rest.next()?.parse().ok()?))
}
