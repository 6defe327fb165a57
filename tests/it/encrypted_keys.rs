//! Signing keys under a passphrase, as openssl writes them.

use std::path::Path;
use std::process::Command;

use crate::world::process::run;
use crate::world::{Kind, World, keys};

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").current_dir(folder).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `first.pem` encrypted into `encrypted.pem`.
fn encrypt(folder: &Path, more: &[&str]) {
    let fixed =
        ["pkcs8", "-topk8", "-in", "first.pem", "-out", "encrypted.pem", "-passout", "file:first.pass"];
    openssl(folder, &[&fixed, more].concat());
}

/// What `keys check` says of this line in the configuration.
fn check(folder: &Path, key: &str) -> (i32, String) {
    let file = folder.join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines = text.lines().map(|line| {
        if line.trim_start().starts_with("tokens.keys") {
            format!("tokens.keys = [{{ {key} }}]")
        } else {
            line.into()
        }
    });
    std::fs::write(&file, lines.collect::<Vec<String>>().join("\n")).unwrap();
    let ended = run(folder, &["keys", "check"], &[]);
    (ended.code, ended.stdout + &ended.stderr)
}

const WITH: &str = "file = \"encrypted.pem\", passphrase_file = \"first.pass\"";

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_openssl_encrypted_are_opened_with_their_passphrase() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    std::fs::write(folder.join("first.pass"), "a pass phrase, 密码\n").unwrap();
    for (pem, more) in [
        (keys::p256(), &[][..]),
        (keys::p256(), &["-v2", "aes-128-cbc", "-v2prf", "hmacWithSHA1"]),
        (keys::ed25519(), &["-v2", "aes-192-cbc", "-v2prf", "hmacWithSHA384", "-iter", "10000"]),
        (keys::rsa(), &["-v2", "aes-256-cbc", "-v2prf", "hmacWithSHA512"]),
    ] {
        std::fs::write(folder.join("first.pem"), pem).unwrap();
        encrypt(&folder, more);
        let (code, said) = check(&folder, WITH);
        assert_eq!(code, 0, "{more:?}: {said}");
        let (code, said) = check(&folder, "file = \"encrypted.pem\", passphrase = \"a pass phrase, 密码\"");
        assert_eq!(code, 0, "{more:?}: {said}");
        assert!(!said.contains("a pass phrase"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passphrase_that_does_not_fit_is_refused_with_what_to_do() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    std::fs::write(folder.join("first.pass"), "right horse").unwrap();
    encrypt(&folder, &[]);
    std::fs::write(folder.join("wrong.pass"), "wrong horse").unwrap();
    let wrong = "file = \"encrypted.pem\", passphrase_file = \"wrong.pass\"";
    for (key, wanted) in [
        ("file = \"encrypted.pem\"", "is encrypted: give its passphrase_file"),
        (wrong, "its passphrase doesn't open it"),
        ("file = \"encrypted.pem\", passphrase_file = \"none.pass\"", "tokens.keys[0].passphrase_file"),
        (
            "file = \"first.pem\", passphrase_file = \"first.pass\"",
            "is not encrypted, so it needs no passphrase",
        ),
        ("file = \"encrypted.pem\", passphrase = \"x\", passphrase_file = \"first.pass\"", "not both"),
    ] {
        let (code, said) = check(&folder, key);
        assert!(code == 2 && said.contains(wanted), "{key}: {said}");
        assert!(!said.contains("horse"), "{said}");
    }
    // Once in 256 times a wrong key's padding looks right: what comes out is no key, whichever way it fails.
    for _ in 0..20 {
        encrypt(&folder, &[]);
        let (code, said) = check(&folder, wrong);
        assert!(code == 2 && said.contains("encrypted.pem: "), "{said}");
    }
    // Forms that aren't read come with the command that makes one that is.
    for more in [&["-scrypt"][..], &["-v2", "des3"], &["-v2", "camellia-256-cbc"]] {
        encrypt(&folder, more);
        let (code, said) = check(&folder, WITH);
        assert!(code == 2 && said.contains("openssl pkcs8 -topk8 -v2 aes-256-cbc"), "{more:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_cut_anywhere_is_refused_and_never_panics() {
    let world = World::on(Kind::Sqlite).await;
    let folder = world.folder();
    std::fs::write(folder.join("first.pass"), "right horse").unwrap();
    encrypt(&folder, &[]);
    let whole = pem::parse(std::fs::read_to_string(folder.join("encrypted.pem")).unwrap()).unwrap();
    let tag = whole.tag().to_owned();
    for at in (0..whole.contents().len()).step_by(7) {
        for damage in [false, true] {
            let mut der = whole.contents().to_vec();
            if damage {
                der[at] ^= 0x41
            } else {
                der.truncate(at)
            }
            std::fs::write(folder.join("encrypted.pem"), pem::encode(&pem::Pem::new(tag.clone(), der)))
                .unwrap();
            let (code, said) = check(&folder, WITH);
            assert!(code == 2 && !said.contains("panicked"), "{at} {damage}: {said}");
        }
    }
}
