//! `GET /internal/v1/users?…`: the one user whom an operator means, by what they have of them.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};

use super::super::AppState;
use super::super::service::Service;
use super::{Shown, shown};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::flows::find::{self, Named};
use crate::flows::username::Username;
use crate::flows::{attempts, operator};
use crate::secret::{OpenId, is_wechat_id};

/// One of them; `appId` and `openId` go together.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct By {
    user_id: Option<String>,
    username: Option<String>,
    app_id: Option<String>,
    open_id: Option<String>,
    phone: Option<String>,
}

/// A user with what an operator wants to see before they act.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    #[serde(flatten)]
    user: Shown,
    nick_name: String,
    user_level_desc: Option<String>,
    /// Whether there is one: the number is its owner's to see.
    has_phone: bool,
    wrong_passwords: Wrong,
}

/// What stands against the name as a whole.
#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct Wrong {
    count: u32,
    last_time: Option<Timestamp>,
}

pub(super) async fn find(
    State(app): State<AppState>,
    service: Service,
    by: std::result::Result<Query<By>, QueryRejection>,
) -> Result<Json<Found>> {
    let (field, named) = by.map_or_else(|_| Err(which()), |Query(by)| by.read())?;
    let rooms = &app.rooms;
    let id = find::find(rooms, &named).await?.ok_or_else(|| nobody(field))?;
    let (user, identities) = operator::show(rooms, id, service.by()).await?;
    let wrong_passwords = match user.username.as_deref().and_then(Username::of) {
        Some(name) => {
            let (count, last_time) = attempts::against(rooms, &name).await?;
            Wrong { count, last_time }
        }
        None => Wrong::default(),
    };
    let level = usize::try_from(user.level).ok().and_then(|level| rooms.levels.get(level));
    Ok(Json(Found {
        nick_name: user.profile.nickname.clone(),
        user_level_desc: level.cloned(),
        has_phone: user.phone.is_some(),
        wrong_passwords,
        user: shown(user, identities),
    }))
}

impl By {
    /// Who is meant, and by which parameter. An empty one is none, as a form sends it.
    fn read(self) -> Result<(&'static str, Named)> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let (app, openid) = (given(self.app_id), given(self.open_id));
        let ways = (given(self.user_id), given(self.username), openid, given(self.phone));
        match (ways, app) {
            ((Some(id), None, None, None), None) => {
                let id = id.trim().parse().map_err(|_| {
                    Error::invalid(
                        "userId",
                        "应为用户 ID（令牌中的 sub）",
                        "must be a user id: a token's sub",
                    )
                })?;
                Ok(("userId", Named::Id(id)))
            }
            ((None, Some(name), None, None), None) => {
                Ok(("username", Named::Username(Username::read(&name, "username")?)))
            }
            ((None, None, Some(openid), None), Some(app)) => {
                if !is_wechat_id(openid.trim()) {
                    let (zh, en) = ("不是 openid", "is no openid");
                    return Err(Error::invalid("openId", zh, en));
                }
                Ok(("openId", Named::OpenId(app.trim().to_owned(), OpenId::new(openid.trim()))))
            }
            ((None, None, Some(_), None), None) => Err(Error::missing("appId")),
            ((None, None, None, None), Some(_)) => Err(Error::missing("openId")),
            ((None, None, None, Some(phone)), None) => {
                // A plus sign that wasn't encoded has become a blank.
                let phone = if phone.starts_with(' ') { phone.replacen(' ', "+", 1) } else { phone };
                let number = find::phone_of(&phone).ok_or_else(|| {
                    Error::invalid(
                        "phone",
                        "应为 11 位手机号，或带国家代码，如 +8613800138000",
                        "must be a number with its country's code, as +8613800138000, or 11 digits of China's",
                    )
                })?;
                Ok(("phone", Named::Phone(number)))
            }
            _ => Err(which()),
        }
    }
}

fn which() -> Error {
    Error::from(Code::MissingField).with_detail(
        "请给出下列之一：userId；username；appId 和 openId；phone。",
        "Give one of: userId; username; appId and openId; phone.",
    )
}

fn nobody(field: &str) -> Error {
    Error::from(Code::UserNotFound).with_detail(
        format!("没有找到：请核对 {field}。"),
        format!("Nobody is found by this {field}: check it."),
    )
}
