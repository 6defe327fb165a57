//! Verifiers that aren't ours, each a process that reads tokens and says whom each is of.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::ISSUER;
use crate::world::database::server;

/// One of them.
pub(super) struct Verifier {
    pub(super) name: &'static str,
    command: Vec<String>,
    /// Whether it knows EdDSA.
    pub(super) eddsa: bool,
    /// Forgeries that it lets through although the RFCs don't (docs/verifiers.md has them). Each carries our own signature, so
    /// nobody but the gateway could make it.
    pub(super) accepts: &'static [&'static str],
}

/// All of them, from the smallest start to the largest.
pub(super) fn all() -> Vec<Verifier> {
    let installed = PathBuf::from(server("WXGATE_TEST_INTEROP"));
    let at = |path: &str| installed.join(path).to_str().unwrap().to_owned();
    let ours = |path: &str| format!("{}/tests/interop/{path}", env!("CARGO_MANIFEST_DIR"));
    let verifier = |name, command: &[&str], eddsa, accepts| Verifier {
        name,
        command: command.iter().map(|&word| word.to_owned()).collect(),
        eddsa,
        accepts,
    };
    let node = |name, eddsa, accepts| verifier(name, &["node", &at("node.mjs"), name], eddsa, accepts);
    let python = |name, eddsa, accepts| {
        verifier(name, &[&at("venv/bin/python"), &ours("python.py"), name], eddsa, accepts)
    };
    const CRIT: &str = "crit of something unknown";
    const KID: [&str; 2] = ["ES256 said of the RSA key", "an unknown kid, signed by our key"];
    vec![
        node("jose", true, &[]),
        node("jsonwebtoken", false, &[CRIT]),
        node("aws-jwt-verify", true, &[CRIT]),
        python("PyJWT", true, &[]),
        python("joserfc", true, &[]),
        python("python-jose", false, &[KID[0], KID[1], CRIT]),
        python("jwcrypto", true, &["nbf in an hour"]),
        verifier("go-oidc", &[&at("go-verify")], false, &[]),
        verifier("Crypt::JWT", &["perl", &ours("perl.pl")], true, &[CRIT]),
        verifier("ruby-jwt", &["ruby", &ours("ruby.rb")], false, &["alg in small letters", CRIT]),
    ]
}

impl Verifier {
    /// For each token its `sub`, or why it was refused.
    pub(super) fn verify(
        &self,
        jwks: &str,
        audience: &str,
        algorithms: &str,
        tokens: &[&str],
    ) -> Vec<Result<String, String>> {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args([jwks, ISSUER, audience, algorithms]);
        let mut child = command
            .env_remove("http_proxy")
            .env("NO_PROXY", "127.0.0.1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let lines: String = tokens.iter().map(|token| format!("{}\n", Value::from(*token))).collect();
        let mut input = child.stdin.take().unwrap();
        // In a thread: it may answer before it has read everything.
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = child.wait_with_output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        writer.join().unwrap().unwrap_or_else(|error| panic!("{}: {error}: {complaint}", self.name));
        let answers: Vec<_> = String::from_utf8_lossy(&output.stdout).lines().map(read).collect();
        assert_eq!(answers.len(), tokens.len(), "{} gave up: {complaint}", self.name);
        answers
    }
}

fn read(line: &str) -> Result<String, String> {
    let answer: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    match answer["refused"].as_str() {
        Some(why) => Err(why.to_owned()),
        None => Ok(answer["sub"].as_str().unwrap_or("").to_owned()),
    }
}
