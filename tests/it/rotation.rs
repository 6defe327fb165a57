//! The promise: signing keys rotate under load, on any number of replicas, and no good token is refused anywhere.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use verify::{Expected, KeySet, Refusal, verify};
use wxgate::app::App;
use wxgate::clock::{Timestamp, after, whole_seconds};
use wxgate::config::{self, Layers};

use crate::world::{ISSUER, Kind, World, keys};

/// How long siblings keep the keys: what the JWKS allows, and what the gateway is told they do.
const CACHE: Duration = Duration::from_secs(300);
const TTL: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_secs(30);

/// A service that verifies tokens by the published keys, which it fetches from either replica.
struct Sibling {
    urls: [String; 2],
    fetched: Timestamp,
    fetches: usize,
    keys: KeySet,
    /// Whether it fetches again when it meets a kid that it doesn't know.
    curious: bool,
}

impl Sibling {
    async fn new(urls: [String; 2], now: Timestamp, curious: bool) -> Self {
        let mut sibling =
            Self { urls, fetched: now, fetches: 0, keys: KeySet::from_jwks([]).unwrap(), curious };
        sibling.fetch(now).await;
        sibling
    }

    async fn fetch(&mut self, now: Timestamp) {
        let url = format!("{}/.well-known/jwks.json", self.urls[self.fetches % 2]);
        self.keys =
            KeySet::from_json(&client().get(url).send().await.unwrap().bytes().await.unwrap()).unwrap();
        (self.fetched, self.fetches) = (now, self.fetches + 1);
    }

    async fn verify(&mut self, token: &str, now: Timestamp) -> Result<(), Refusal> {
        if now >= after(self.fetched, CACHE) {
            self.fetch(now).await;
        }
        let expected =
            Expected { issuer: ISSUER.into(), audience: vec!["api".into()], leeway: Duration::ZERO };
        let verified = verify(token, &self.keys, &expected, now.as_second()).map(|_| ());
        if self.curious && verified == Err(Refusal::UnknownKey) {
            self.fetch(now).await;
            return verify(token, &self.keys, &expected, now.as_second()).map(|_| ());
        }
        verified
    }
}

fn client() -> &'static reqwest::Client {
    static CLIENT: LazyLock<reqwest::Client> =
        LazyLock::new(|| reqwest::Client::builder().no_proxy().build().unwrap());
    &CLIENT
}

fn kid(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// Two replicas, their siblings, and every token that still counts.
struct Fleet {
    world: World,
    replicas: [(Arc<App>, String); 2],
    siblings: Vec<Sibling>,
    tokens: Vec<(Timestamp, String)>,
    verified: usize,
    logins: usize,
    /// Kids whose tokens no longer count.
    revoked: BTreeSet<String>,
}

impl Fleet {
    async fn start() -> Self {
        let settings =
            format!("tokens.ttl = {}s\ntokens.verifier_cache = {}s", TTL.as_secs(), CACHE.as_secs());
        let mut world = World::with(Kind::Sqlite, &settings).await;
        let second = world.listening_replica().await;
        let first = (world.app.clone(), world.url(""));
        let urls = [first.1.clone(), second.1.clone()];
        let mut siblings = Vec::new();
        for n in 0..4 {
            // Each out of step with the others, and with the rotations.
            world.clock.turn(Duration::from_millis(7_301));
            siblings.push(Sibling::new(urls.clone(), world.app.rooms.now(), n % 2 == 0).await);
        }
        let replicas = [first, second];
        let (tokens, revoked) = (Vec::new(), BTreeSet::new());
        Self { world, replicas, siblings, tokens, verified: 0, logins: 0, revoked }
    }

    fn now(&self) -> Timestamp {
        self.world.app.rooms.now()
    }

    /// The same list of keys for every replica, one of them a little later.
    async fn list(&mut self, list: &str) {
        for replica in 0..2 {
            let config = self.edit(list);
            self.replicas[replica].0.reload(&config).unwrap();
            self.step(STEP).await;
        }
    }

    fn edit(&self, list: &str) -> config::Config {
        let file = self.world.folder().join("wxgate.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let lines = text.lines().map(|line| match line.trim_start().starts_with("tokens.keys") {
            true => format!("tokens.keys = [{list}]"),
            false => line.to_owned(),
        });
        std::fs::write(&file, lines.collect::<Vec<String>>().join("\n")).unwrap();
        config::load(&Layers { file: Some(file), ..Layers::default() }).unwrap()
    }

    /// Time goes on: somebody logs in at each replica, and everybody verifies every token that counts.
    async fn step(&mut self, by: Duration) {
        self.world.clock.turn(by);
        let now = self.now();
        let mut signed_by = BTreeSet::new();
        for (_, url) in &self.replicas {
            let code = self.world.code(&format!("person-{}", self.logins % 7)).await;
            self.logins += 1;
            let request = client().post(format!("{url}/v1/login"));
            let request =
                request.header("content-type", "application/json").body(json!({ "code": code }).to_string());
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200);
            let session: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            let token = session["token"].as_str().unwrap().to_owned();
            signed_by.insert(kid(&token));
            self.tokens.push((now, token));
        }
        assert_eq!(signed_by.len(), 1, "two replicas, one instant, one key");
        self.tokens.retain(|(at, token)| {
            whole_seconds(*at) > wxgate::clock::before(now, TTL) && !self.revoked.contains(&kid(token))
        });
        for (at, token) in &self.tokens {
            for (replica, (app, _)) in self.replicas.iter().enumerate() {
                let verified = app.rooms.tokens.verify(token, now);
                assert!(verified.is_ok(), "replica {replica} at {now} refused a token of {at}: {verified:?}");
            }
            for (n, sibling) in self.siblings.iter_mut().enumerate() {
                let verified = sibling.verify(token, now).await;
                assert_eq!(verified, Ok(()), "sibling {n} at {now} refused a token of {at}");
                self.verified += 1;
            }
        }
    }

    fn signer(&self) -> String {
        let now = self.now();
        let [a, b] = [0, 1].map(|at| self.replicas[at].0.rooms.tokens.signer(now).unwrap());
        assert_eq!(a, b);
        a
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_rotations_and_an_emergency_under_load_refuse_no_good_token_on_two_replicas() {
    let mut fleet = Fleet::start().await;
    let mut lines = vec!["{ file = \"first.pem\" }".to_owned()];
    let mut signers = vec![fleet.signer()];
    let mut per_key: BTreeMap<String, usize> = BTreeMap::new();
    for n in 1..=3 {
        for _ in 0..3 {
            fleet.step(STEP).await;
        }
        // One line more in the configuration, at noon on a working day.
        std::fs::write(fleet.world.folder().join(format!("{n}.pem")), keys::p256()).unwrap();
        let from = whole_seconds(after(fleet.now(), Duration::from_secs(300 + 300 + 60)));
        lines.push(format!("{{ file = \"{n}.pem\", sign_from = {from} }}"));
        fleet.list(&lines.join(", ")).await;
        // To the last millisecond the old key signs, and from the instant on the new one, on both.
        let last = after(from, Duration::ZERO).as_millisecond() - 1;
        while fleet.now().as_millisecond() < last {
            let left = Duration::from_millis(u64::try_from(last - fleet.now().as_millisecond()).unwrap());
            fleet.step(STEP.min(left)).await;
            assert_eq!(Some(&fleet.signer()), signers.last());
        }
        fleet.step(Duration::from_millis(1)).await;
        assert_eq!(fleet.now(), from);
        assert!(!signers.contains(&fleet.signer()));
        signers.push(fleet.signer());
        // The one before the last has been superseded for long; its line goes as soon as the gateway lets it.
        for _ in 0..40 {
            fleet.step(STEP).await;
            *per_key.entry(fleet.signer()).or_default() += 1;
        }
        if lines.len() > 2 {
            lines.remove(0);
            let rest = lines.join(", ");
            fleet.list(&rest).await;
        }
    }
    assert_eq!(signers.len(), 4);

    // The key in force is stolen: it goes at once, and so do its tokens; siblings that look again have the new one at once.
    let stolen = fleet.signer();
    std::fs::write(fleet.world.folder().join("emergency.pem"), keys::p256()).unwrap();
    let last = lines.pop().unwrap().replace(" }", ", revoked = true }");
    lines.push(last);
    // Without an instant of its own it would leave the signing to the key before the stolen one, and one is told.
    let idle = fleet.edit(&format!("{}, {{ file = \"emergency.pem\", emergency = true }}", lines.join(", ")));
    let told = format!("{:?}", fleet.replicas[0].0.reload(&idle).unwrap_err());
    let now = whole_seconds(fleet.now());
    assert!(told.contains(&format!("set sign_from = {now} on the new one")), "{told}");
    lines.push(format!("{{ file = \"emergency.pem\", emergency = true, sign_from = {now} }}"));
    let config = fleet.edit(&lines.join(", "));
    for (replica, _) in &fleet.replicas {
        replica.reload(&config).unwrap();
    }
    let stolen_tokens: Vec<String> =
        fleet.tokens.iter().map(|(_, token)| token.clone()).filter(|token| kid(token) == stolen).collect();
    assert!(!stolen_tokens.is_empty());
    fleet.revoked.insert(stolen.clone());
    assert_ne!(fleet.signer(), stolen);
    // Those that never look before their time are five minutes late, for the stolen key as for the new one: the docs say so.
    let late: Vec<Sibling> = fleet.siblings.extract_if(.., |sibling| !sibling.curious).collect();
    for _ in 0..11 {
        fleet.step(STEP).await;
    }
    fleet.siblings.extend(late);
    for _ in 0..5 {
        fleet.step(STEP).await;
    }
    let now = fleet.now();
    for token in &stolen_tokens {
        for (app, _) in &fleet.replicas {
            assert_eq!(app.rooms.tokens.verify(token, now).err(), Some(Refusal::UnknownKey));
        }
        for sibling in &mut fleet.siblings {
            assert_eq!(sibling.verify(token, now).await, Err(Refusal::UnknownKey));
        }
    }
    assert!(fleet.verified > 10_000, "{} tokens verified", fleet.verified);
}
