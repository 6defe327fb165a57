//! The life of the signing keys, and what is to be done about them next, in words.

use std::time::Duration;

use serde::Serialize;

use super::super::language::Language;
use crate::clock::Timestamp;
use crate::error::Text;
use crate::tokens::{self, LIFE, Planned, Stage, Step};

/// The signing keys and the next step.
#[derive(Serialize)]
pub(super) struct Keys {
    list: Vec<Key>,
    next: Next,
}

#[derive(Serialize)]
struct Key {
    file: String,
    kid: String,
    alg: &'static str,
    /// `published`, `signs`, `retiring` or `ended`
    state: &'static str,
    /// Since when it is published; null: since this process started, or longer.
    since: Option<Timestamp>,
    /// From when on it signs; null: from the beginning.
    signs: Option<Timestamp>,
    superseded: Option<Timestamp>,
    gone: Option<Timestamp>,
}

/// What is to be done about the keys next, and by when, or until when nothing is.
#[derive(Serialize)]
struct Next {
    /// `publish`, `overdue`, `remove` or `wait`
    step: &'static str,
    at: Option<Timestamp>,
    text: String,
}

impl Keys {
    pub(super) fn of(plan: &[Planned], verifier_cache: Duration, now: Timestamp, language: Language) -> Self {
        let list = plan.iter().map(|key| Key {
            file: key.file.display().to_string(),
            kid: key.kid.clone(),
            alg: key.alg,
            state: match key.stage(now) {
                Stage::Published => "published",
                Stage::Signs => "signs",
                Stage::Retiring => "retiring",
                Stage::Ended => "ended",
            },
            since: key.since,
            signs: key.signs,
            superseded: key.superseded,
            gone: key.gone,
        });
        let step = tokens::next_step(plan, verifier_cache, now);
        let (name, at) = match step {
            Step::Publish(by) => ("publish", by),
            Step::Overdue(since) => ("overdue", Some(since)),
            Step::Remove(_) => ("remove", None),
            Step::Begins(_, at) | Step::Ends(_, at) => ("wait", Some(at)),
        };
        let text = language.pick(&words(step, plan)).to_owned();
        Self { list: list.collect(), next: Next { step: name, at, text } }
    }
}

fn words(step: Step, plan: &[Planned]) -> Text {
    let file = |at: usize| {
        let name = plan.get(at).and_then(|key| key.file.file_name());
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    };
    let time = |at: Timestamp| at.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let days = LIFE.as_secs() / 86_400;
    match step {
        Step::Publish(Some(by)) => Text::new(
            format!(
                "请在 {} 之前发布下一把密钥：运行 wxgate keys new，把打印出的几行加入每个副本的配置。届时当前密钥已签名 {days} 天。",
                time(by)
            ),
            format!(
                "Publish the next key by {}: wxgate keys new prints the lines to add on every replica. By then the current one has signed for {days} days.",
                time(by)
            ),
        ),
        Step::Publish(None) => Text::new(
            format!(
                "现在没有要做的事。当前密钥没有 sign_from，无从得知它签了多久；建议每 {days} 天换一把：wxgate keys new。"
            ),
            format!(
                "Nothing has to be done now. The current key has no sign_from, so how long it has signed isn't known; a new one every {days} days is a good habit: wxgate keys new."
            ),
        ),
        Step::Overdue(since) => Text::new(
            format!(
                "该换密钥了：当前密钥已签名约 {days} 天，{} 起就该发布下一把。运行 wxgate keys new。",
                time(since)
            ),
            format!(
                "Publish the next key now: the current one has signed for some {days} days, and a successor has been due since {}. Run wxgate keys new.",
                time(since)
            ),
        ),
        Step::Remove(at) => Text::new(
            format!("{} 已到期：请从每个副本的配置中删去它的几行，并删除文件。", file(at)),
            format!(
                "{} has ended: take its lines off every replica's configuration, and delete the file.",
                file(at)
            ),
        ),
        Step::Begins(key, at) => Text::new(
            format!("{} 之前没有要做的事：届时 {} 会自动开始签名。", time(at), file(key)),
            format!("Nothing to do until {}: then {} begins to sign by itself.", time(at), file(key)),
        ),
        Step::Ends(key, at) => Text::new(
            format!("{} 之前没有要做的事：届时 {} 到期，可以删去它的配置和文件。", time(at), file(key)),
            format!(
                "Nothing to do until {}: then {} has ended, and its lines and its file may go.",
                time(at),
                file(key)
            ),
        ),
    }
}
