//! Logging in with the code of wx.login.

use std::net::IpAddr;

use tracing::Instrument as _;
use uuid::Uuid;

use super::audit::{self, Origin, Who};
use super::password::{self, Credentials};
use super::session::{self, Session, Way};
use super::{Rooms, account, cells, decrypt, profile};
use crate::clock::Timestamp;
use crate::error::{Code, Error, Result};
use crate::secret::{LoginCode, UnionId};
use crate::store::{Claimed, LoggedIn, Login, Profile, Status, User};
use crate::telemetry::{self, spans};
use crate::wechat::encrypted::Claim;
use crate::wechat::{App, WechatSession};

/// What a mini-program sends to log in.
pub struct ByCode {
    /// From wx.login; only a registration may come without.
    pub code: Option<LoginCode>,
    /// The app, if it says so.
    pub app_id: Option<String>,
    /// The app that its Referer hints at.
    pub app_hint: Option<String>,
    /// What the user says of themselves.
    pub profile: Profile,
    /// What is to be verified under the session_key of this login.
    pub proof: Proof,
    /// The account to bind at once.
    pub account: Option<Credentials>,
    /// From where.
    pub ip: IpAddr,
}

/// The client's proof, as it came: encryptedData with its iv, rawData with its signature.
#[derive(Default)]
pub struct Proof {
    /// Base64 of the ciphertext.
    pub encrypted_data: Option<String>,
    /// Base64 of the IV.
    pub iv: Option<String>,
    /// The exact text that the signature is over.
    pub raw_data: Option<String>,
    /// hex(sha1(rawData ‖ session_key)).
    pub signature: Option<String>,
}

impl Proof {
    /// The same, borrowed, as verifying wants it.
    pub fn as_claim(&self) -> Claim<'_> {
        Claim {
            encrypted_data: self.encrypted_data.as_deref(),
            iv: self.iv.as_deref(),
            raw_data: self.raw_data.as_deref(),
            signature: self.signature.as_deref(),
        }
    }
}

/// code → WeChat → sealed session_key → user → token.
pub async fn by_code(rooms: &Rooms, request: &ByCode) -> Result<Session> {
    let app = rooms.wechat.app(request.app_id.as_deref(), request.app_hint.as_deref());
    let ended = match &app {
        Ok(app) => by_code_of(rooms, app, request).await,
        Err(unknown) => Err(unknown.clone()),
    };
    rooms.login_ended(app.ok().map(|app| app.id.as_str()), "wechat", &ended);
    ended
}

async fn by_code_of(rooms: &Rooms, app: &App, request: &ByCode) -> Result<Session> {
    rooms.app_logins.admit(app.id.clone()).inspect_err(|_| telemetry::shed("app"))?;
    if request.code.is_none() {
        return Err(Error::missing("code"));
    }
    let origin = Origin { app: Some(&app.id), ip: Some(request.ip), ..Origin::default() };
    // A password is proven before the code is spent, and before anything is written.
    let account = match &request.account {
        Some(credentials) => Some(password::prove(rooms, credentials, origin, "bind").await?),
        None => None,
    };
    let entered = enter(rooms, app, request).await;
    let who = entered.as_ref().map_or(Who::Nobody, |entered| Who::User(entered.user.id));
    audit::write("login", who, origin, &entered);
    let Entered { mut user, identity, mut is_new, mut at } = entered?;
    if let Some(account) = account {
        (user, is_new) = (account::join(rooms, &user, &account, origin).await?, false);
        at = account.at;
    }
    session::open(rooms, app, &user, Way::Wechat(Some(identity)), is_new, at)
}

/// Who a login's code was.
pub(super) struct Entered {
    /// The user.
    pub(super) user: User,
    /// The identity they came by.
    pub(super) identity: Uuid,
    /// Whether this made the user.
    pub(super) is_new: bool,
    /// From before the user was read: whatever ends their tokens later ends those of this instant too.
    pub(super) at: Timestamp,
}

/// The login itself, up to its token.
pub(super) async fn enter(rooms: &Rooms, app: &App, request: &ByCode) -> Result<Entered> {
    let code = request.code.as_ref().ok_or_else(|| Error::missing("code"))?;
    let who = rooms.wechat.code2session(app, code).await?;
    let now = rooms.now();
    let (said, unionid) = evidence(rooms, app, &who, request, now).await?;
    let LoggedIn { mut user, identity, is_new } =
        write(rooms, app, &who, unionid.as_ref(), &said, request.ip, now).await?;
    if user.status != Status::Active {
        return Err(Code::UserDisabled.into());
    }
    if let Some(changed) = profile::merge(&user.profile, &said) {
        if !rooms.store.update_profile(user.id, &user.profile, &changed, now).await? {
            return Err(Error::from(Code::Busy).because("the account was closed while its user logged in"));
        }
        user.profile = changed;
    }
    if let Some(unionid) = &unionid {
        claim_unionid(rooms, &user, unionid, now).await?;
    }
    Ok(Entered { at: session::counts_from(&user, now), user, identity, is_new })
}

/// What the login says of the user: what is proven over what is said, and the unionid from wherever it came. A proof that
/// doesn't hold ends the login before anything is written.
async fn evidence(
    rooms: &Rooms,
    app: &App,
    who: &WechatSession,
    request: &ByCode,
    now: Timestamp,
) -> Result<(Profile, Option<UnionId>)> {
    let claim = request.proof.as_claim();
    let (mut said, mut unionid) = (request.profile.clone(), who.unionid.clone());
    if !claim.is_empty() {
        let verified = decrypt::at_login(rooms, app, who, &claim, now).await?;
        // An anonymous proof takes nothing away.
        if let Some(proven) = profile::proven(&verified) {
            said = profile::merge(&said, &proven).unwrap_or(said);
        }
        unionid = unionid.or(verified.unionid);
    }
    Ok((said, unionid))
}

/// Two users that turn out to be one person are not merged behind anyone's back.
async fn claim_unionid(rooms: &Rooms, user: &User, unionid: &UnionId, now: Timestamp) -> Result<()> {
    if user.unionid.as_ref().is_some_and(|known| known.expose() == unionid.expose()) {
        return Ok(());
    }
    match rooms.store.claim_unionid(user.id, unionid, now).await? {
        Claimed::Ours => {}
        Claimed::Anothers(other) => tracing::warn!(
            target: "wxgate::audit", event = "unionid_conflict", user = %user.id, %other,
            "two users are one person: look at both, then run `wxgate account merge`"
        ),
        // An account may have taken in somebody else's identity: it keeps the unionid it has.
        Claimed::Nobodys if user.username.is_some() => {}
        Claimed::Nobodys => tracing::warn!(
            target: "wxgate::audit", event = "unionid_changed", user = %user.id,
            "a user shows another unionid than before: did the app move to another Open Platform account?"
        ),
    }
    Ok(())
}

/// Seals the session_key for this identity's row and writes the login.
async fn write(
    rooms: &Rooms,
    app: &App,
    who: &WechatSession,
    unionid: Option<&UnionId>,
    profile: &Profile,
    ip: IpAddr,
    now: Timestamp,
) -> Result<LoggedIn> {
    let row = [app.id.as_str(), who.openid.expose()];
    let cell = cells::session_key(&row);
    let session_key = who.session_key.expose().as_bytes();
    let sealed = rooms.vault.seal(&cell, session_key);
    let login = Login {
        app: &app.id,
        openid: &who.openid,
        unionid,
        session_key: sealed.map_err(|_| Error::from(Code::Internal).because("the vault can't seal"))?,
        session_key_tag: rooms.vault.mark(&cell, session_key),
        at: now,
        ip,
        new_ids: (rooms.new_id(now), rooms.new_id(now)),
        profile,
    };
    rooms.store.upsert_login(&login).instrument(spans::written(rooms.store.kind())).await
}
