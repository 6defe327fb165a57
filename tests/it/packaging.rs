//! What an operator installs (deploy/): the service, the containers, the manifests and the package's parts, each held against
//! the program and against each other.

mod nginx;
mod schema;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use wxgate::config::{self, Config, Layers};

use crate::world::process::run;

const APP: &str = "wx0123456789abcdef";

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

fn text(file: &str) -> String {
    std::fs::read_to_string(deploy(file)).unwrap()
}

/// Runs a program in this folder to its end.
fn run_in(folder: &Path, line: &[&str]) -> Output {
    // Debian keeps servers where an ordinary user's PATH may not look.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap());
    let outcome = Command::new(line[0]).args(&line[1..]).current_dir(folder).env("PATH", path).output();
    outcome.unwrap_or_else(|error| panic!("{}: {error}: scripts/test installs it", line[0]))
}

/// What it printed on stdout; it went well and had nothing to say on stderr.
#[track_caller]
fn quiet(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{out}{err}");
    out.into_owned()
}

/// The documents of YAML files, aliases and merges resolved. Ruby brings a parser of YAML along.
fn yaml(files: &[PathBuf]) -> Vec<Value> {
    let script =
        "puts JSON.generate(ARGV.flat_map { |file| YAML.load_stream(File.read(file), filename: file) })";
    let files = files.iter().map(|file| file.to_str().unwrap());
    let line: Vec<&str> = ["ruby", "-ryaml", "-rjson", "-e", script].into_iter().chain(files).collect();
    serde_json::from_str(&quiet(&run_in(&deploy(""), &line))).unwrap()
}

/// What `wxgate init` makes, with the AppSecret and the database's address in their places; the folder of the keys.
fn initialized(folder: &Path) -> PathBuf {
    let init = run(folder, &["init", "--issuer", "https://auth.example.com", "--appid", APP], &[]);
    assert_eq!(init.code, 0, "{init:?}");
    let keys = folder.join("keys");
    std::fs::write(keys.join(format!("{APP}.secret")), "an-app-secret\n").unwrap();
    std::fs::write(keys.join("database.url"), "postgres://wxgate:p@postgres/wxgate\n").unwrap();
    keys
}

fn configured(folder: &Path, environment: HashMap<String, String>) -> Config {
    let layers = Layers { file: Some(folder.join("wxgate.toml")), environment, ..Layers::default() };
    config::load(&layers).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

#[test]
fn systemd_takes_the_unit_finds_little_exposed_and_leaves_requests_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let unit = text("systemd/wxgate.service");
    let here = unit.replace("/usr/bin/wxgate", env!("CARGO_BIN_EXE_wxgate"));
    assert_ne!(unit, here);
    std::fs::write(folder.path().join("wxgate.service"), here).unwrap();
    let verify = ["systemd-analyze", "verify", "--man=no", "./wxgate.service"];
    assert_eq!(quiet(&run_in(folder.path(), &verify)), "");
    // In tenths; a service that says nothing of it has 96.
    let exposed = ["systemd-analyze", "security", "--offline=true", "--threshold=15", "./wxgate.service"];
    quiet(&run_in(folder.path(), &exposed));

    initialized(folder.path());
    let timeout = configured(folder.path(), HashMap::new()).http.request_timeout.as_secs();
    let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")?.strip_suffix('s'));
    assert!(stop.unwrap().parse::<u64>().unwrap() > timeout);
}

#[test]
fn the_manifests_agree_with_each_other_and_the_program_takes_their_configuration() {
    let kustomization = &yaml(&[deploy("kubernetes/kustomization.yaml")])[0];
    let listed = kustomization["resources"].as_array().unwrap();
    let there = std::fs::read_dir(deploy("kubernetes")).unwrap().count();
    assert_eq!(listed.len() + 1, there, "every file is listed");
    let listed: Vec<PathBuf> =
        listed.iter().map(|file| deploy("kubernetes").join(file.as_str().unwrap())).collect();
    let all = yaml(&listed);
    let one = |kind: &str, name: &str| {
        let found = all.iter().find(|each| each["kind"] == kind && each["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no {kind} {name}"))
    };
    for each in all.iter().filter(|each| each["kind"] != "Namespace") {
        assert_eq!(each["metadata"]["namespace"], one("Namespace", "wxgate")["metadata"]["name"]);
    }

    // The configuration, with the keys that `wxgate init` makes lying beside it as the Secret's entries do.
    let folder = tempfile::tempdir().unwrap();
    let keys = initialized(folder.path());
    for entry in std::fs::read_dir(keys).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        let name = if name.ends_with(".pem") { "2026-11.pem".into() } else { name };
        std::fs::rename(entry.path(), folder.path().join(name)).unwrap();
    }
    let toml = one("ConfigMap", "wxgate-config")["data"]["wxgate.toml"].as_str().unwrap();
    std::fs::write(folder.path().join("wxgate.toml"), toml).unwrap();
    let check = run(folder.path(), &["config", "check"], &[]);
    assert_eq!(check.code, 0, "{check:?}");
    let config = configured(folder.path(), HashMap::new());

    // Its ports are the container's; probes, Services and policy name them.
    let template = &one("Deployment", "wxgate")["spec"]["template"];
    let (pod, container) = (&template["spec"], &template["spec"]["containers"][0]);
    assert_eq!(
        container["ports"],
        json!([
            { "name": "http", "containerPort": config.http.listen.port() },
            { "name": "internal", "containerPort": config.http.internal_listen.port() },
        ])
    );
    assert!(config.http.listen.ip().is_unspecified() && config.http.internal_listen.ip().is_unspecified());
    let live = json!({ "path": "/livez", "port": "internal" });
    let ready = json!({ "path": "/readyz", "port": "internal" });
    for (probe, asks) in [("startupProbe", &live), ("livenessProbe", &live), ("readinessProbe", &ready)] {
        assert_eq!(&container[probe]["httpGet"], asks, "{probe}");
    }
    let labels = &template["metadata"]["labels"];
    for (service, port) in [("wxgate", "http"), ("wxgate-internal", "internal")] {
        let spec = &one("Service", service)["spec"];
        assert_eq!((&spec["selector"], &spec["ports"][0]["targetPort"]), (labels, &json!(port)));
    }
    let backend = &one("Ingress", "wxgate")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
    assert_eq!(backend, &json!({ "name": "wxgate", "port": { "name": "http" } }), "never the internal one");
    for (kind, selector) in [
        ("Deployment", "/spec/selector/matchLabels"),
        ("PodDisruptionBudget", "/spec/selector/matchLabels"),
        ("NetworkPolicy", "/spec/podSelector/matchLabels"),
    ] {
        assert_eq!(one(kind, "wxgate").pointer(selector), Some(labels), "{kind}");
    }
    let rules = one("NetworkPolicy", "wxgate")["spec"]["ingress"].as_array().unwrap();
    let inside: Vec<&Value> =
        rules.iter().filter(|rule| rule["ports"].to_string().contains("internal")).collect();
    assert!(inside.len() == 1 && inside[0]["from"].as_array().is_some_and(|from| !from.is_empty()));
    assert!(rules.iter().all(|rule| rule["ports"].as_array().is_some_and(|ports| !ports.is_empty())));

    // Drained before it is killed, never one alone, never more connections than PostgreSQL has by default.
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > config.http.request_timeout.as_secs());
    let bounds = &one("HorizontalPodAutoscaler", "wxgate")["spec"];
    assert!(bounds["minReplicas"].as_u64().unwrap() >= 2);
    let most = bounds["maxReplicas"].as_u64().unwrap() + 1;
    assert!(most * u64::from(config.database.max_connections) < 100 - 3);

    // No more rights than it needs, and the user that the image has.
    assert_eq!(
        container["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": { "drop": ["ALL"] },
        })
    );
    let security = &pod["securityContext"];
    assert_eq!(
        (&security["runAsNonRoot"], &security["seccompProfile"]["type"]),
        (&json!(true), &json!("RuntimeDefault"))
    );
    assert!(text("docker/Dockerfile").contains(&format!("USER {0}:{0}\n", security["runAsUser"])));
    // Variables for each Service would come in, and one of them looks like a setting.
    assert_eq!(
        (&pod["enableServiceLinks"], &pod["automountServiceAccountToken"]),
        (&json!(false), &json!(false))
    );
    let linked = run(folder.path(), &["config", "check"], &[("WXGATE_INTERNAL_SERVICE_HOST", "10.0.0.1")]);
    assert!(linked.code == 2 && linked.stderr.contains("WXGATE_INTERNAL_SERVICE_HOST"), "{linked:?}");
}

#[test]
fn the_containers_fit_together() {
    let compose = &yaml(&[deploy("docker/compose.yaml")])[0];
    let services = &compose["services"];
    let nginx = services["nginx"]["networks"]["front"]["ipv4_address"].as_str().unwrap();
    let upstream = text("docker/nginx.conf");
    let folder = tempfile::tempdir().unwrap();
    initialized(folder.path());
    for name in ["gateway-1", "gateway-2"] {
        let gateway = &services[name];
        let environment = gateway["environment"].as_object().unwrap().iter();
        let environment = environment.map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned()));
        let config = configured(folder.path(), environment.collect());
        let trusted: Vec<String> = config.http.trusted_proxies.iter().map(ToString::to_string).collect();
        assert_eq!(trusted, [format!("{nginx}/32")]);
        assert!(config.http.internal_listen.ip().is_loopback() && config.http.listen.ip().is_unspecified());
        assert_eq!(config.database.address.expose(), "postgres://wxgate:p@postgres/wxgate");
        let address = gateway["networks"]["front"]["ipv4_address"].as_str().unwrap();
        assert!(upstream.contains(&format!("server {address}:{} ", config.http.listen.port())));
        assert_eq!((&gateway["read_only"], &gateway["cap_drop"]), (&json!(true), &json!(["ALL"])));
        assert_eq!(gateway["ports"], Value::Null, "nginx alone is published");
    }
    assert_eq!(
        (&services["postgres"]["ports"], &compose["networks"]["back"]["internal"]),
        (&Value::Null, &json!(true))
    );
}

/// The workspace's packages as cargo sees them.
fn packages() -> Vec<Value> {
    let line = [env!("CARGO"), "metadata", "--no-deps", "--offline", "--format-version=1"];
    let metadata: Value = serde_json::from_slice(&run_in(&deploy(".."), &line).stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// What isn't listed doesn't get into the image's build, and cargo wants every member of the workspace.
#[test]
fn the_image_is_built_from_every_member_of_the_workspace_and_no_key() {
    let listed = text("docker/Dockerfile.dockerignore");
    let listed: Vec<&str> = listed.lines().filter_map(|line| line.strip_prefix('!')).collect();
    for package in packages() {
        for target in package["targets"].as_array().unwrap() {
            let path = target["src_path"].as_str().unwrap();
            let path = path.strip_prefix(concat!(env!("CARGO_MANIFEST_DIR"), "/")).unwrap();
            let covered = listed.iter().any(|each| Path::new(path).starts_with(each));
            assert!(covered, "{path} is not in Dockerfile.dockerignore");
        }
    }
    assert!(!listed.iter().any(|each| ["keys", "data", "deploy"].contains(each)), "{listed:?}");
}

#[test]
fn every_part_of_the_package_is_there_or_made_by_the_program() {
    let root = deploy("..");
    let packages = packages();
    let deb = &packages.iter().find(|each| each["name"] == "wxgate").unwrap()["metadata"]["deb"];

    let made = tempfile::tempdir().unwrap();
    let folder = made.path().to_str().unwrap();
    quiet(&run_in(&root, &["deploy/deb/parts", env!("CARGO_BIN_EXE_wxgate"), folder]));
    let assets = deb["assets"].as_array().unwrap().iter().map(|asset| asset[0].as_str().unwrap());
    for asset in assets.chain([deb["changelog"].as_str().unwrap()]) {
        let file = match asset.strip_prefix("target/deb/") {
            Some(made) => format!("{folder}/{made}"),
            None if asset.starts_with("target/release/") => continue,
            None => asset.to_owned(),
        };
        // The shell's pattern is the glob's.
        quiet(&run_in(&root, &["sh", "-c", &format!("ls {file} >/dev/null")]));
    }
    for script in ["postinst", "postrm"] {
        assert!(text(&format!("deb/{script}")).contains("\n#DEBHELPER#\n"), "{script}");
        quiet(&run_in(&deploy("deb"), &["sh", "-n", script]));
    }

    quiet(&run_in(made.path(), &["bash", "-n", "wxgate.bash"]));
    // Each command has its page, and the front page names it.
    let front = std::fs::read_to_string(made.path().join("man/wxgate.1")).unwrap();
    let help = run(made.path(), &["help"], &[]).stdout;
    let commands =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.contains(&"serve") && commands.contains(&"completions"), "{help}");
    for command in commands.into_iter().filter(|command| *command != "help") {
        assert!(front.contains(&format!("wxgate\\-{command}(1)")), "{command}");
        assert!(made.path().join(format!("man/wxgate-{command}.1")).exists(), "{command}");
    }
    for section in ["CONFIGURATION", "ENVIRONMENT", "FILES", "SIGNALS", "EXIT STATUS", "EXAMPLES"] {
        assert!(front.contains(&format!("\n.SH {section}\n")), "{section}");
    }
}
