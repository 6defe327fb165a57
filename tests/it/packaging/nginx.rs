//! nginx with the files of deploy/, before two gateways of which one is away.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{deploy, quiet, run_in, text};
use crate::world::answer::Answer;
use crate::world::process::Process;
use crate::world::{Kind, World};

/// Makes of a folder what /etc/nginx is, with these sites; the given texts replaced in them and nothing else.
fn configure(folder: &Path, sites: &[&str], replaced: &[(&str, String)]) {
    for name in ["conf.d", "snippets", "tls"] {
        std::fs::create_dir(folder.join(name)).unwrap();
    }
    for site in sites {
        let site = replaced.iter().fold(text(site), |text, (from, to)| text.replace(from, to));
        let name = format!("{}.conf", std::fs::read_dir(folder.join("conf.d")).unwrap().count());
        std::fs::write(folder.join("conf.d").join(name), site).unwrap();
    }
    std::fs::copy(deploy("nginx/wxgate-doors.conf"), folder.join("snippets/wxgate-doors.conf")).unwrap();
    let root = run_in(folder, &["id", "-u"]).stdout == b"0\n";
    let user = if root { "user root;" } else { "" };
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp = temp.map(|name| format!("{name}_temp_path {}/{name};\n", folder.display())).concat();
    let main = format!(
        "{user} daemon off; worker_processes 1; pid {}/nginx.pid; error_log stderr notice; events {{}}\n\
         http {{ access_log off;\n{temp}include conf.d/*.conf; }}\n",
        folder.display()
    );
    std::fs::write(folder.join("nginx.conf"), main).unwrap();
}

fn command(folder: &Path) -> Vec<String> {
    let folder = folder.display();
    ["nginx".into(), "-p".into(), folder.to_string(), "-c".into(), format!("{folder}/nginx.conf")].to_vec()
}

/// Nobody listens there.
fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

#[test]
fn nginx_takes_the_site_of_the_containers() {
    let folder = tempfile::tempdir().unwrap();
    configure(folder.path(), &["docker/nginx.conf"], &[("listen 8080;", format!("listen {};", free()))]);
    let mut test = command(folder.path());
    test.extend(["-q".into(), "-t".into(), "-e".into(), "stderr".into()]);
    quiet(&run_in(folder.path(), &test.iter().map(String::as_str).collect::<Vec<_>>()));
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_nginx_everybody_logs_in_while_one_of_two_gateways_is_away_and_nobody_chooses_their_address() {
    let world = World::with(Kind::Sqlite, "http.trusted_proxies = [\"127.0.0.1/32\"]").await;
    let folder = tempfile::tempdir().unwrap();
    let (plain, tls) = (free(), free());
    let there = world.url("").replace("http://", "");
    configure(
        folder.path(),
        &["nginx/upstream.conf", "nginx/wxgate.conf"],
        &[
            ("10.0.0.11:8080", free().to_string()),
            ("10.0.0.12:8080", there),
            ("listen 80;", format!("listen {plain};")),
            ("listen 443 ssl;", format!("listen {tls} ssl;")),
            ("    listen [::]:80;\n", String::new()),
            ("    listen [::]:443 ssl;\n", String::new()),
            ("/etc/nginx/tls", folder.path().join("tls").display().to_string()),
        ],
    );
    let certificate = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                       -subj /CN=auth.example.com -keyout tls/privkey.pem -out tls/fullchain.pem 2>/dev/null";
    quiet(&run_in(folder.path(), &["sh", "-c", certificate]));
    let line = command(folder.path());
    let mut nginx =
        Command::new(if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" });
    nginx.args(&line[1..]).args(["-e", "stderr"]);
    let mut nginx = Process::spawn(nginx);
    nginx.wait_for("start worker process ");

    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let login = format!("https://{tls}/v1/login");
    // More than it takes for nginx to leave the one that is away alone.
    for n in 0..8 {
        let code = world.code(&format!("person-{n}")).await;
        let request = client
            .post(&login)
            .header("content-type", "application/json")
            .header("x-forwarded-for", "198.51.100.7")
            .header("x-request-id", "chosen-by-the-client")
            .body(json!({ "code": code }).to_string());
        let answer = Answer::of(request).await.status(200);
        assert_ne!(answer.header("x-request-id"), "chosen-by-the-client");
        assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    }
    let rows = world.database.rows(&world.folder(), "SELECT last_login_ip AS ip FROM identities").await;
    assert_eq!(rows, vec![json!({ "ip": "127.0.0.1" }); 8]);

    // The internal side is behind no address of nginx's, and plain HTTP only leads to TLS.
    for path in ["/metrics", "/readyz", "/internal/v1/users/x"] {
        Answer::of(client.get(format!("https://{tls}{path}"))).await.status(404);
    }
    let answer = Answer::of(client.get(format!("http://{plain}/v1/me"))).await.status(301);
    assert_eq!(answer.header("location"), "https://127.0.0.1/v1/me");
    let too_long = client.post(&login).body(Value::from("x".repeat(70_000)).to_string());
    Answer::of(too_long).await.status(413);
}
