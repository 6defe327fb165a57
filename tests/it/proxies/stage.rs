//! A gateway, a service that says what it heard, and a proxy before both, started from its file in examples/.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use wxgate::clock::{Clock as _, SystemClock};

use crate::world::database::server;
use crate::world::process::Process;
use crate::world::{Kind, World, keys};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Proxy {
    Nginx,
    Caddy,
    EnvoyAuthz,
    EnvoyJwt,
}

pub(super) struct Stage {
    pub(super) world: World,
    /// A token that has expired by any clock.
    pub(super) expired: String,
    /// A session of before.
    pub(super) old: Value,
    /// The key that signs and the one that will, P-256 and RSA.
    pub(super) pems: [String; 2],
    gateway: Gateway,
    pub(super) proxy: SocketAddr,
    _process: Process,
    _folder: tempfile::TempDir,
}

/// What the service heard.
#[derive(Debug, PartialEq)]
pub(super) struct Heard {
    pub(super) method: String,
    pub(super) target: String,
    headers: Vec<(String, String)>,
    pub(super) body: usize,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(each, _)| each == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Whether one of our headers has this value.
    pub(super) fn holds(&self, value: &str) -> bool {
        self.headers.iter().any(|(name, each)| name.starts_with("x-auth-") && each.contains(value))
    }
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) challenge: String,
    /// None: the service was not reached.
    pub(super) heard: Option<Heard>,
}

impl Answer {
    #[track_caller]
    pub(super) fn passed(self) -> Heard {
        assert_eq!(self.status, 200, "{self:?}");
        self.heard.unwrap()
    }
}

/// What it runs on, apart from the test, so that all its connections can be ended at once.
struct Gateway(Option<tokio::runtime::Runtime>);

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Stage {
    pub(super) async fn behind(proxy: Proxy) -> Self {
        // Begun three hours ago, so that a token of then has expired; a second key signs in ten minutes.
        let now = SystemClock.now().as_millisecond();
        let pems = [keys::p256(), keys::rsa()];
        let world = with_two_keys(&pems, now - 3 * 3600 * 1000, now + 600 * 1000).await;
        let expired = world.login("alice").await["token"].as_str().unwrap().to_owned();
        world.clock.turn(Duration::from_secs(3 * 3600));
        let old = world.login("alice").await;

        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let router = Router::new().fallback_service(wxgate::http::public(world.app.clone()));
        let (gateway, _) = runtime.spawn(serve(router)).await.unwrap();
        let (service, _) = serve(Router::new().fallback(echo)).await;
        let place = free_port().await;
        let folder = tempfile::tempdir().unwrap();
        let process = start(proxy, folder.path(), gateway, service, place);
        Self {
            world,
            expired,
            old,
            pems,
            gateway: Gateway(Some(runtime)),
            proxy: place,
            _process: process,
            _folder: folder,
        }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.proxy);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        self.ask_raw(&format!("{head}Content-Length: {}\r\n\r\n{body}", body.len())).await
    }

    /// Sends these bytes: a client library would set right what is to be wrong.
    pub(super) async fn ask_raw(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        // Not to the stream's end: Envoy keeps it open for a second after an answer of its own.
        while !whole(&bytes) && stream.read_buf(&mut bytes).await.unwrap() > 0 {}
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let challenge = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"))
            .map_or("", |(_, value)| value);
        Answer { status, challenge: challenge.to_owned(), heard: heard(body) }
    }

    /// Envoy says that it starts its workers, and listens a moment later.
    async fn connect(&self) -> TcpStream {
        let mut last = None;
        for _ in 0..500 {
            match TcpStream::connect(self.proxy).await {
                Ok(stream) => return stream,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{last:?}");
    }

    /// The gateway answers no more, on the connections that the proxy has kept to it neither.
    pub(super) async fn close_gateway(&mut self) {
        let runtime = self.gateway.0.take().unwrap();
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(Duration::from_secs(10))).await.unwrap();
    }
}

async fn with_two_keys(pems: &[String; 2], begin: i64, second: i64) -> World {
    let folder = tempfile::tempdir().unwrap();
    for (name, pem) in ["a.pem", "b.pem"].iter().zip(pems) {
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    let second = wxgate::clock::Timestamp::from_millisecond(second).unwrap();
    let (a, b) = (folder.path().join("a.pem"), folder.path().join("b.pem"));
    let list = format!(
        "tokens.keys = [{{ file = \"{}\" }}, {{ file = \"{}\", sign_from = {second} }}]",
        a.display(),
        b.display()
    );
    World::at(begin, Kind::Sqlite, &list).await
}

async fn serve(router: Router) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = router.into_make_service_with_connect_info::<SocketAddr>();
    (address, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

/// Says what it heard, in a form that any proxy leaves as it is.
async fn echo(request: Request) -> String {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let lines = |headers: &HeaderMap| -> String {
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap_or("?"))).collect()
    };
    format!("heard\n{}\n{}\n{}\n{}", parts.method, parts.uri, body.len(), lines(&parts.headers))
}

/// Whether an answer has come to its end, by its length or its last chunk.
fn whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    match head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        Some(length) => body.len() >= length.parse().unwrap(),
        None => body.ends_with("0\r\n\r\n"),
    }
}

fn heard(body: &str) -> Option<Heard> {
    // The body may come in chunks, whose lengths stand on lines of their own.
    let mut lines = body.lines().skip_while(|line| *line != "heard").skip(1);
    let (method, target, body) =
        (lines.next()?.to_owned(), lines.next()?.to_owned(), lines.next()?.parse().ok()?);
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Some(Heard { method, target, headers, body })
}

async fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// The example with its addresses replaced, and nothing else.
fn example(file: &str, ports: [(u16, SocketAddr); 3]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(file);
    let mut text = std::fs::read_to_string(path).unwrap();
    for (port, address) in ports {
        for (from, to) in [
            (format!("127.0.0.1:{port}"), address.to_string()),
            (format!("port_value: {port} "), format!("port_value: {} ", address.port())),
        ] {
            text = text.replace(&from, &to);
        }
        assert!(!text.contains(&port.to_string()), "{file} names {port} in a way that isn't replaced");
    }
    text
}

fn start(
    proxy: Proxy,
    folder: &Path,
    gateway: SocketAddr,
    service: SocketAddr,
    place: SocketAddr,
) -> Process {
    let ports = [(8080, gateway), (3000, service), (8000, place)];
    let write = |name: &str, text: String| -> PathBuf {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let (command, ready) = match proxy {
        Proxy::Nginx => {
            write("wxgate.conf", example("nginx/wxgate.conf", ports));
            let main = write("nginx.conf", nginx_main(folder));
            let mut command = Command::new(found("nginx"));
            command.arg("-p").arg(folder).arg("-c").arg(main).args(["-e", "stderr"]);
            (command, "start worker process ")
        }
        Proxy::Caddy => {
            let text =
                format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", example("caddy/Caddyfile", ports));
            let file = write("Caddyfile", text);
            let mut command = Command::new(found("caddy"));
            command.args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
            command.env("XDG_DATA_HOME", folder).env("XDG_CONFIG_HOME", folder).env("HOME", folder);
            (command, "serving initial configuration")
        }
        Proxy::EnvoyAuthz | Proxy::EnvoyJwt => {
            let name = if proxy == Proxy::EnvoyJwt { "jwt_authn.yaml" } else { "ext_authz.yaml" };
            let file = write("envoy.yaml", example(&format!("envoy/{name}"), ports));
            let mut command = Command::new(server("WXGATE_TEST_ENVOY"));
            command.arg("-c").arg(file).args(["--concurrency", "1", "--disable-hot-restart"]);
            (command, "starting workers")
        }
    };
    let mut process = Process::spawn(command);
    process.wait_for(ready);
    process
}

/// What nginx wants around the example: everything in the folder, in the foreground.
pub(crate) fn nginx_main(folder: &Path) -> String {
    let root = is_root();
    let user = if root { "user root;" } else { "" };
    let temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let temp: String =
        temp.iter().map(|name| format!("{name}_temp_path {}/{name};\n", folder.display())).collect();
    format!(
        "{user} daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr notice;\n\
         events {{}}\nhttp {{\naccess_log off;\n{temp}include {folder}/wxgate.conf;\n}}\n",
        folder = folder.display()
    )
}

/// Whether what we start runs as root: only then may nginx be told another user.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Debian keeps servers where an ordinary user's PATH may not look.
pub(crate) fn found(name: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| {
        panic!("{name} is not installed: run the tests by scripts/test, which installs it")
    })
}
