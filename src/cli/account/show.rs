//! `wxgate account show`: what is known of a user, without what is personal beyond need: no phone number, no openid.

use serde::Serialize;
use uuid::Uuid;

use super::{App, Outcome, refused, user};
use crate::clock::Timestamp;
use crate::flows::attempts;
use crate::flows::username::Username;
use crate::store::Status;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    id: Uuid,
    username: Option<String>,
    status: &'static str,
    level: i16,
    level_name: Option<String>,
    phone: bool,
    created_at: Timestamp,
    apps: Vec<Came>,
    wrong_passwords: Wrong,
}

/// An app they came through.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Came {
    app: String,
    last_login_at: Timestamp,
}

/// What stands against the name.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Wrong {
    count: u32,
    last_at: Option<Timestamp>,
}

pub(super) async fn run(app: &App, named: &str, json: bool) -> Outcome {
    let shown = look(app, named).await?;
    if json {
        println!("{:#}", serde_json::json!(shown));
        return Ok(());
    }
    let line = |name: &str, value: &str| println!("{name:<16}{value}");
    line("id", &shown.id.to_string());
    line("username", shown.username.as_deref().unwrap_or("none"));
    line("status", shown.status);
    let name = shown.level_name.map(|name| format!(" ({name})")).unwrap_or_default();
    line("level", &format!("{}{name}", shown.level));
    line("phone", if shown.phone { "set" } else { "none" });
    line("created", &shown.created_at.to_string());
    let last = shown.wrong_passwords.last_at.map(|at| format!(", the last one {at}")).unwrap_or_default();
    line("wrong passwords", &format!("{}{last}", shown.wrong_passwords.count));
    if shown.apps.is_empty() {
        line("apps", "none");
    }
    for (index, Came { app, last_login_at }) in shown.apps.iter().enumerate() {
        line(if index == 0 { "apps" } else { "" }, &format!("{app}, last login {last_login_at}"));
    }
    Ok(())
}

async fn look(app: &App, named: &str) -> Result<Shown, super::Failure> {
    let user = user(app, named).await?;
    let apps = app.rooms.store.identities_of(user.id).await.map_err(refused)?;
    let wrong_passwords = match user.username.as_deref().and_then(Username::of) {
        Some(name) => {
            let (count, last_at) = attempts::against(&app.rooms, &name).await.map_err(refused)?;
            Wrong { count, last_at }
        }
        None => Wrong::default(),
    };
    let level_name = usize::try_from(user.level).ok().and_then(|level| app.rooms.levels.get(level));
    Ok(Shown {
        id: user.id,
        username: user.username,
        status: match user.status {
            Status::Active => "active",
            Status::Disabled => "disabled",
            Status::Closed => "closed",
        },
        level: user.level,
        level_name: level_name.cloned(),
        phone: user.phone.is_some(),
        created_at: user.created_at,
        apps: apps
            .into_iter()
            .map(|came| Came { app: came.app, last_login_at: came.last_login_at })
            .collect(),
        wrong_passwords,
    })
}
