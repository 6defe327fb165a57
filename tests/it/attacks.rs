//! What somebody sends who means harm: bare TCP to the real binary, and hostile values at every door. Each is answered by a 4xx
//! with a code of the table, or by the end of the connection; never by a 5xx; and the process serves on.
//!
//! Elsewhere: forged tokens (`forged`), guessed passwords, and unknown names that can't be told from known ones (`passwords`),
//! credentials of the internal side (`internal`), what WeChat answers (`wechat_faults`), codes that are used twice (`login`).

mod floods;
mod gateway;
mod headers;
mod http2;
mod names;
mod slow;
mod smuggling;
mod targets;
mod texts;
