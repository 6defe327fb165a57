//! Whose tokens were ended: the gateway's `/v1/revocations`.

use std::collections::HashMap;

use serde::Deserialize;

use crate::claims::Claims;

/// From when on tokens count again, by user: milliseconds since the Unix epoch.
pub(crate) struct Revocations(HashMap<String, i64>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    sub: String,
    not_before_ms: i64,
}

impl Revocations {
    pub(crate) fn from_json(json: &[u8]) -> Result<Self, String> {
        let list: Vec<Entry> =
            serde_json::from_slice(json).map_err(|error| format!("is no list of revocations: {error}"))?;
        Ok(Self(list.into_iter().map(|entry| (entry.sub, entry.not_before_ms)).collect()))
    }

    /// Whether this token was issued before its user's tokens were ended.
    pub(crate) fn ended(&self, claims: &Claims) -> bool {
        self.0.get(&claims.sub).is_some_and(|from| claims.issued_millis() < *from)
    }
}
