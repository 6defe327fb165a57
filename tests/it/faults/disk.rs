//! A disk that fills: a small one in memory where the test may mount it, else a limit on the size of files.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A small file system of its own.
pub(super) struct Disk {
    pub(super) path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Disk {
    /// Of so many MiB. Only root can.
    pub(super) fn of(megabytes: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Whoever the server runs as must get through.
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.path(), open).unwrap();
        let path = folder.path().join("disk");
        std::fs::create_dir(&path).unwrap();
        let options = format!("size={megabytes}m,mode=755");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&path).output();
        let mount = mount.unwrap();
        assert!(mount.status.success(), "a disk of the test's own can't be mounted: {mount:?}");
        Self { path, _folder: folder }
    }

    /// To the last byte.
    pub(super) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.ballast()).unwrap();
        let mut size = 1 << 20;
        let block = vec![b'x'; size];
        while size > 0 {
            if ballast.write_all(&block[..size]).is_err() {
                size /= 2;
            }
        }
    }

    pub(super) fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.path.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also while somebody's files are open.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}

/// From now on nobody of these writes a byte of any file behind so many; `unlimited` ends it.
pub(super) fn limit_files(run: impl Fn(&mut Command), ids: &[u32], size: &str) {
    for id in ids {
        run(Command::new("prlimit").args(["--pid", &id.to_string(), &format!("--fsize={size}:")]));
    }
}

/// What makes a program see such a limit as a full disk, rather than end by a signal.
pub(super) const UNHARMED: [&str; 4] = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"];

/// The size of a file, if there is one.
pub(super) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}
