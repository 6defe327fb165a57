//! The mini-program's side, as its own test runner runs it on Node: against the real binary.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

/// Runs Node's test runner on these files; how many passed.
pub(crate) fn node_test(folder: &Path, files: &[&str], environment: &[(&str, String)]) -> usize {
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap"])
        .args(files)
        .current_dir(folder)
        .env("WXGATE_BIN", env!("CARGO_BIN_EXE_wxgate"))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().find_map(|line| line.strip_prefix("# pass ")).unwrap().parse().unwrap()
}

/// The same in the package's folder, once it is built.
fn package_test(files: &[&str]) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/miniprogram");
    assert!(
        folder.join("node_modules").exists(),
        "{} has no node_modules: run the tests by scripts/test, which installs them",
        folder.display()
    );
    // Once for all tests of this process: they run at the same time.
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        let build = Command::new("node").arg("build.mjs").current_dir(&folder).output().unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stdout));
    });
    node_test(&folder, files, &[])
}

#[test]
fn the_package_for_mini_programs_passes_its_own_tests_against_this_binary() {
    let files = ["test/auth.test.mjs", "test/pack.test.mjs"];
    assert!(package_test(&files) >= 44);
}

#[test]
fn a_program_of_the_litemall_family_runs_unchanged() {
    assert!(package_test(&["test/litemall.test.mjs"]) >= 5);
}

#[test]
fn the_example_mini_programs_pages_can_be_walked_through() {
    assert!(package_test(&["../../examples/miniprogram/test/pages.test.mjs"]) >= 6);
}
