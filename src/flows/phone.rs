//! The user's phone number: by the phone button's code (preferred), or by encryptedData.

use serde_json::Value;

use super::decrypt;
use super::session::{self, Caller, UserInfo, Way};
use super::{Rooms, cells};
use crate::error::{Code, Error, Result};
use crate::secret::{LoginCode, Phone};
use crate::store::User;
use crate::vault::{Cell, Sealed};
use crate::wechat::encrypted::Claim;
use crate::wechat::read_phone;

/// Where the number comes from.
pub enum Source<'s> {
    /// The code of the phone button (not wx.login's).
    Code(LoginCode),
    /// What the older button gives.
    Encrypted(Claim<'s>),
}

/// Finds the number, seals it, and writes it to the user; 409 if it is another's.
pub async fn set(rooms: &Rooms, caller: &Caller, source: &Source<'_>) -> Result<UserInfo> {
    let user = &caller.user;
    let app = rooms.wechat.app(Some(&caller.app), None)?;
    let identity = decrypt::identity(rooms, caller).await?;
    let identity = identity.ok_or_else(|| match caller.way {
        Way::Wechat(_) => Error::from(Code::TokenInvalid).because("its identity is another user's now"),
        Way::Password => Error::from(Code::NotBound).with_detail(
            "该账号在此小程序中没有绑定微信用户，请先用 wx.login 登录并绑定账号。",
            "This account has no WeChat user in this app: log in by wx.login and bind the account first.",
        ),
    })?;
    let now = rooms.now();
    let phone = match source {
        Source::Code(code) => {
            rooms.server_calls.admit_person(&app.id, &identity.openid)?;
            rooms.wechat.phone(app, code, &identity.openid).await?
        }
        Source::Encrypted(claim) => {
            rooms.decrypts.admit_person(&app.id, &identity.openid)?;
            let verified = decrypt::verified(rooms, app, &identity, claim, now)?;
            read_phone(&Value::Object(verified.data)).ok_or(Code::EncryptedDataInvalid)?
        }
    };
    let sealed = seal(rooms, user.id, &phone)?;
    if !rooms.store.set_phone(user.id, &sealed, &index(rooms, &phone), now).await? {
        return Err(Error::from(Code::TokenInvalid).because("its user closed the account meanwhile"));
    }
    let user = User { phone: Some(sealed), ..user.clone() };
    Ok(session::user_info(rooms, &user))
}

/// The user who has this number (E.164), by the blind index.
pub async fn find(rooms: &Rooms, phone: &Phone) -> Result<Option<uuid::Uuid>> {
    rooms.store.find_by_phone(&index(rooms, phone)).await
}

/// The number, as shown to its owner: China's as people there write it, others in E.164.
pub(super) fn shown(rooms: &Rooms, user: &User) -> Option<String> {
    let phone = open(rooms, user.id, user.phone.as_ref()?)
        .inspect_err(|error| tracing::error!(cause = error.cause.as_deref(), "a phone number is left out"))
        .ok()?;
    let number = phone.expose();
    Some(number.strip_prefix("+86").unwrap_or(number).to_owned())
}

pub(super) fn seal(rooms: &Rooms, user: uuid::Uuid, phone: &Phone) -> Result<Sealed> {
    let sealed = rooms.vault.seal(&cells::phone(&[&user.to_string()]), phone.expose().as_bytes());
    sealed.map_err(|_| Error::from(Code::Internal).because("the vault can't seal"))
}

pub(super) fn open(rooms: &Rooms, user: uuid::Uuid, sealed: &Sealed) -> Result<Phone> {
    let plain = rooms.vault.open(&cells::phone(&[&user.to_string()]), sealed);
    let plain = plain
        .map_err(|error| Error::from(Code::Internal).because(format!("a phone can't be opened: {error}")))?;
    Ok(Phone::new(String::from_utf8_lossy(&plain)))
}

/// Keyed, and the same for a number whoever has it: that is what makes it unique and findable.
fn index(rooms: &Rooms, phone: &Phone) -> Vec<u8> {
    rooms.vault.mark(&Cell { table: "users", column: "phone_index", row: &[] }, phone.expose().as_bytes())
}
