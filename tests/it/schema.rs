//! The OpenAPI document holds: schemathesis asks what it allows and what it doesn't. `scripts/schemathesis` does so for longer.

use std::process::Command;

#[test]
fn every_answer_to_schemathesis_is_as_the_document_says_and_none_is_a_5xx() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/schemathesis");
    let run = Command::new(script).arg("15").env("WXGATE", env!("CARGO_BIN_EXE_wxgate")).output().unwrap();
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}
