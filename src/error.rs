//! One error type for the whole gateway, and the one table of its codes.
//!
//! An [`Error`] says what the client may see (`code`, `detail`, `retry_after`) and, apart from that, what the log
//! keeps (`cause`). It knows no HTTP framework: each door renders it (`http::problem`, `http::litemall`).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

mod table;

pub use table::Code;

/// A sentence in the two languages we answer in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// 中文
    pub zh: Cow<'static, str>,
    /// English
    pub en: Cow<'static, str>,
}

impl Text {
    /// Both languages, fixed.
    pub const fn fixed(zh: &'static str, en: &'static str) -> Self {
        Self { zh: Cow::Borrowed(zh), en: Cow::Borrowed(en) }
    }

    /// Both languages, made up.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Self {
        Self { zh: Cow::Owned(zh.into()), en: Cow::Owned(en.into()) }
    }
}

/// Why a request can't be answered as asked.
#[derive(Debug, Clone)]
pub struct Error {
    /// What the client acts on.
    pub code: Code,
    /// More than the code's own advice, where there is more to say. Seen by the client: nothing secret.
    pub detail: Option<Text>,
    /// When to try again; what the code says, unless set.
    pub retry_after: Option<Duration>,
    /// What the log keeps and the client never sees. Nothing secret here either.
    pub cause: Option<Cow<'static, str>>,
}

/// What nearly everything here returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// With this detail for the client.
    pub fn with_detail(mut self, zh: impl Into<String>, en: impl Into<String>) -> Self {
        self.detail = Some(Text::new(zh, en));
        self
    }

    /// With this cause for the log.
    pub fn because(mut self, cause: impl Into<Cow<'static, str>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// A field that is missing.
    pub fn missing(field: &str) -> Self {
        Self::from(Code::MissingField)
            .with_detail(format!("缺少字段 {field}。"), format!("{field} is missing."))
    }

    /// A field whose value doesn't do, and what would.
    pub fn invalid(field: &str, zh: &str, en: &str) -> Self {
        Self::from(Code::InvalidField).with_detail(format!("{field}：{zh}。"), format!("{field}: {en}."))
    }

    /// What the client should do: the detail if there is one, else the code's advice.
    pub fn advice(&self) -> Text {
        self.detail.clone().unwrap_or_else(|| self.code.advice())
    }

    /// For Retry-After: when to try again, if trying again can help; whole seconds, one at the least.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.or_else(|| self.code.retry_after()).map(|span| span.as_secs().max(1))
    }
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code, detail: None, retry_after: None, cause: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_str())?;
        if let Some(cause) = &self.cause {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
