//! A storm of logins: people come as fast as they are served, new ones and known ones, and look who they are in between.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::home::{Home, client};
use super::people::{People, Person};
use super::{BOUND, SOON};
use crate::world::Answer;

/// What came of the requests so far.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) logins: u64,
    /// Bearers who were told who they are.
    pub(super) bearers: u64,
    /// Logins that were told to come later, and bearers who were.
    pub(super) later: u64,
    pub(super) bearers_later: u64,
    /// Without an answer: the connection broke.
    pub(super) broken: u64,
}

pub(super) struct Storm {
    counts: watch::Receiver<Counts>,
    over: Arc<AtomicBool>,
    wrong: Arc<Mutex<Vec<String>>>,
    workers: JoinSet<()>,
}

/// One of those who ask.
struct Worker {
    gateway: String,
    wechat: String,
    http: reqwest::Client,
    people: Arc<People>,
    counts: Arc<watch::Sender<Counts>>,
    over: Arc<AtomicBool>,
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Storm {
    /// So many at once, at this address. Whatever is neither an answer nor a clear "later" is wrong, and so is whatever takes
    /// longer than the bound; a connection that breaks is counted.
    pub(super) fn at(gateway: &str, home: &Home, people: &Arc<People>, many: usize) -> Self {
        let (counts, seen) = watch::channel(Counts::default());
        let (counts, over, wrong) = (Arc::new(counts), Arc::default(), Arc::default());
        let mut workers = JoinSet::new();
        for _ in 0..many {
            let worker = Worker {
                gateway: gateway.to_owned(),
                wechat: home.wechat.base_url(),
                http: client(),
                people: people.clone(),
                counts: counts.clone(),
                over: Arc::clone(&over),
                wrong: Arc::clone(&wrong),
            };
            workers.spawn(async move {
                while !worker.over.load(Ordering::SeqCst) {
                    worker.turn().await;
                }
            });
        }
        Self { counts: seen, over, wrong, workers }
    }

    /// Goes on until so many more of these have been counted; gives how much was counted meanwhile.
    pub(super) async fn until(&self, more: u64, what: impl Fn(Counts) -> u64) -> Counts {
        let (mut counts, before) = (self.counts.clone(), *self.counts.borrow());
        let wanted = what(before) + more;
        let counted = tokio::time::timeout(SOON, counts.wait_for(|now| what(*now) >= wanted)).await;
        let seen =
            || format!("{before:?} {:?} {:?}", *self.counts.borrow(), self.wrong.lock().unwrap().first());
        let now = *counted.unwrap_or_else(|_| panic!("the storm stands still: {}", seen())).unwrap();
        Counts {
            logins: now.logins - before.logins,
            bearers: now.bearers - before.bearers,
            later: now.later - before.later,
            bearers_later: now.bearers_later - before.bearers_later,
            broken: now.broken - before.broken,
        }
    }

    /// Ends it. Nothing was wrong.
    pub(super) async fn end(self) -> Counts {
        self.over.store(true, Ordering::SeqCst);
        tokio::time::timeout(SOON, self.workers.join_all()).await.expect("the storm ends");
        let wrong = self.wrong.lock().unwrap();
        assert!(wrong.is_empty(), "{} times wrong: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
        *self.counts.borrow()
    }
}

impl Worker {
    async fn turn(&self) {
        match super::random(4) {
            0 | 1 => self.login(self.people.somebody_new()).await,
            2 => self.login(self.people.somebody()).await,
            _ => self.look().await,
        }
    }

    async fn login(&self, person: Person) {
        let who = json!({ "appid": person.app, "openid": person.openid(), "unionid": person.unionid() });
        let press = self.http.post(format!("{}/_sim/login", self.wechat));
        let press = press.header("content-type", "application/json").body(who.to_string());
        let pressed = Answer::of(press).await.status(200).json();
        let code = pressed["code"].as_str().unwrap();
        self.people.pressed(code);
        let body = json!({ "code": code, "appId": person.app }).to_string();
        let request = self.http.post(format!("{}/v1/login", self.gateway));
        let request = request.header("content-type", "application/json").body(body);
        let Some(answer) = self.answer(request).await else { return };
        if answer.is(200) {
            match self.people.came(person, &answer.json()) {
                Ok(()) => self.count(|counts| counts.logins += 1),
                Err(wrong) => self.wrong(wrong),
            }
        } else if answer.is_later() {
            self.count(|counts| counts.later += 1);
            breath().await;
        } else {
            self.wrong(format!("a login: {answer:?}"));
        }
    }

    async fn look(&self) {
        let Some(session) = self.people.any_session() else { return breath().await };
        let request = self.http.get(format!("{}/v1/me", self.gateway)).bearer_auth(&session.token);
        let Some(answer) = self.answer(request).await else { return };
        if answer.is(200) && answer.json()["userId"] == session.user.as_str() {
            self.count(|counts| counts.bearers += 1);
        } else if answer.is_later() {
            self.count(|counts| counts.bearers_later += 1);
            breath().await;
        } else {
            self.wrong(format!("a bearer: {answer:?}"));
        }
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Option<Answer> {
        match tokio::time::timeout(BOUND, Answer::tried(request)).await {
            Ok(Ok(answer)) => return Some(answer),
            Ok(Err(_)) => self.count(|counts| counts.broken += 1),
            Err(_) => self.wrong(format!("no answer within {BOUND:?}")),
        }
        breath().await;
        None
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    fn wrong(&self, what: String) {
        self.wrong.lock().unwrap().push(what);
    }
}

/// Who is told to come later doesn't come at once.
async fn breath() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}
