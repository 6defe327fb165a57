//! The mini-program's side, as its own test runner runs it on Node: against the real binary.

use std::path::Path;
use std::process::Command;

/// Runs Node's test runner there; how many passed.
fn node_tests(folder: &str, files: &[&str]) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    assert!(
        folder.join("node_modules").exists(),
        "{} has no node_modules: run the tests by scripts/test, which installs them",
        folder.display()
    );
    // Once for all tests of this process: they run at the same time.
    static BUILT: std::sync::OnceLock<()> = std::sync::OnceLock::new();
    BUILT.get_or_init(|| {
        let build = Command::new("node").arg("build.mjs").current_dir(&folder).output().unwrap();
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stdout));
    });
    let output = Command::new("node")
        .args(["--test", "--test-reporter=tap"])
        .args(files)
        .current_dir(&folder)
        .env("WXGATE_BIN", env!("CARGO_BIN_EXE_wxgate"))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text.lines().find_map(|line| line.strip_prefix("# pass ")).unwrap().parse().unwrap()
}

#[test]
fn the_package_for_mini_programs_passes_its_own_tests_against_this_binary() {
    let files = ["test/auth.test.mjs", "test/pack.test.mjs"];
    assert!(node_tests("sdk/miniprogram", &files) >= 44);
}

#[test]
fn a_program_of_the_litemall_family_runs_unchanged() {
    assert!(node_tests("sdk/miniprogram", &["test/litemall.test.mjs"]) >= 5);
}

#[test]
fn the_example_mini_programs_pages_can_be_walked_through() {
    assert!(node_tests("sdk/miniprogram", &["../../examples/miniprogram/test/pages.test.mjs"]) >= 6);
}
