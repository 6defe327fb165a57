//! Two replicas on one PostgreSQL behind nginx, by its files in examples/ and deploy/docker/: each is ended and started anew, and the signing key
//! rotates, under a load. No login fails, and no token is refused.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use wxgate::clock::{Clock as _, SystemClock, after, whole_seconds};

use super::home::{Home, Replica, client};
use super::people::People;
use super::storm::Storm;
use super::{quiet_port, say, soon, times};
use crate::proxies::stage::{found, nginx_main};
use crate::world::process::Process;
use crate::world::{Answer, Database, Kind, forge, keys};

/// A site of ours: its file, and how it calls the two replicas and where it listens.
struct Site {
    file: &'static str,
    replicas: [&'static str; 2],
    listens: &'static str,
}

const EXAMPLE: Site = Site {
    file: "examples/nginx/replicas.conf",
    replicas: ["server 127.0.0.1:8080", "server 127.0.0.1:8081"],
    listens: "listen 127.0.0.1:8000",
};

/// What the containers have; its doors are those of a machine's nginx as well.
const DEPLOYED: Site = Site {
    file: "deploy/docker/nginx.conf",
    replicas: ["server 172.30.0.11:8080", "server 172.30.0.12:8080"],
    listens: "listen 8080",
};

/// nginx by this site, its addresses replaced.
fn nginx(site: &Site, folder: &Path, replicas: [u16; 2], place: u16) -> Process {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(ours.join(site.file)).unwrap();
    for (from, word, to) in [
        (site.replicas[0], "server", replicas[0]),
        (site.replicas[1], "server", replicas[1]),
        (site.listens, "listen", place),
    ] {
        assert!(text.contains(from), "{text}");
        text = text.replace(from, &format!("{word} 127.0.0.1:{to}"));
    }
    std::fs::create_dir(folder.join("snippets")).unwrap();
    std::fs::copy(ours.join("deploy/nginx/wxgate-doors.conf"), folder.join("snippets/wxgate-doors.conf"))
        .unwrap();
    std::fs::write(folder.join("wxgate.conf"), text).unwrap();
    let main = folder.join("nginx.conf");
    std::fs::write(&main, nginx_main(folder)).unwrap();
    let mut command = Command::new(found("nginx"));
    command.arg("-p").arg(folder).arg("-c").arg(main).args(["-e", "stderr"]);
    let mut process = Process::spawn(command);
    process.wait_for("start worker process ");
    process
}

/// Which process answered: the first half of a request's id is its name.
async fn name(address: &str) -> String {
    let request = client().get(format!("{address}/.well-known/jwks.json"));
    Answer::of(request).await.header("x-request-id").get(..16).unwrap_or_default().to_owned()
}

fn kid(token: &str) -> String {
    forge::part(token, 0)["kid"].as_str().unwrap().to_owned()
}

/// One more key, which signs in a few seconds. An emergency to the gateway: no sibling could have fetched it by then.
fn list_second_key(home: &Home) {
    std::fs::write(home.folder().join("second.pem"), keys::p256()).unwrap();
    let file = home.folder().join("wxgate.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let from = whole_seconds(after(SystemClock.now(), Duration::from_secs(5)));
    let first = r#"{ file = "first.pem" }"#;
    assert!(text.contains(first));
    let second = format!(r#"{{ file = "second.pem", emergency = true, sign_from = {from} }}"#);
    std::fs::write(&file, text.replace(first, &format!("{first}, {second}"))).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_are_started_anew_one_after_the_other_and_a_key_rotates_and_nobody_notices() {
    started_anew(&EXAMPLE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_nginx_of_the_packages_replicas_are_started_anew_and_nobody_notices() {
    started_anew(&DEPLOYED).await;
}

/// `WXGATE_TEST_UPGRADES` has each replica started anew more often.
async fn started_anew(site: &Site) {
    let home = Home::on(Database::fresh(Kind::Postgres).await).await;
    let ports = [quiet_port(), quiet_port()];
    let start = |port: u16| home.start_by(&[], &[("WXGATE_HTTP__LISTEN", &format!("127.0.0.1:{port}"))]);
    let mut replicas: Vec<Replica> = ports.map(start).into();
    let (folder, place) = (tempfile::tempdir().unwrap(), quiet_port());
    let nginx = nginx(site, folder.path(), ports, place);
    let address = format!("http://127.0.0.1:{place}");

    let people = Arc::new(People::default());
    let storm = Storm::at(&address, &home, &people, 12);
    storm.until(100, |counts| counts.logins).await;
    let first = kid(&people.any_session().unwrap().token);
    list_second_key(&home);
    for replica in &mut replicas {
        replica.process.hang_up();
        replica.process.wait_for("keys reloaded");
    }
    let mut printed = Vec::new();
    for _ in 0..times("WXGATE_TEST_UPGRADES", 2) {
        for (at, port) in ports.into_iter().enumerate() {
            let old = replicas.remove(at);
            printed.push(old.end());
            let new = start(port);
            new.until_ready().await;
            let wanted = name(&new.public).await;
            replicas.insert(at, new);
            soon("nginx asks the new one too", async || name(&address).await == wanted).await;
            storm.until(100, |counts| counts.logins).await;
        }
    }
    soon("the second key signs", async || {
        let token = people.sessions().last().unwrap().token.clone();
        kid(&token) != first
    })
    .await;
    storm.until(200, |counts| counts.logins).await;
    let counts = storm.end().await;
    assert_eq!((counts.later, counts.bearers_later, counts.broken), (0, 0, 0), "{counts:?}");

    // Every token counts at both, by whichever key and process it was signed.
    let sessions = people.sessions();
    for session in &sessions {
        for replica in &replicas {
            assert!(replica.ask("/authz", &session.token).await.is(200), "{session:?}");
        }
    }
    assert!(sessions.iter().filter(|session| kid(&session.token) != first).count() > 100);
    people.all_exist(&home, &replicas[0], 0).await;
    printed.extend(replicas.into_iter().map(Replica::end));
    for printed in printed {
        people.nothing_is_said(&home, &printed);
    }
    let (status, complaints) = nginx.end();
    assert!(status.success(), "{complaints}");
    let complaints = complaints.lines().filter(|line| line.contains("[error]")).count();
    say(&format!("{counts:?}; nginx found a replica away {complaints} times"));
}
