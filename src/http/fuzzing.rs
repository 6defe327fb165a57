//! The fuzz targets `authorization`, `forwarded` and `login_body`: what a request says of itself, and what it brings.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::response::IntoResponse as _;
use ipnet::IpNet;
use serde::de::DeserializeOwned;

use super::account::AccountFields;
use super::body::parse;
use super::conditional::conditional;
use super::language::Language;
use super::login::{LoginRequest, ProofFields, UserInfo, by_code, referer_app};
use super::password::{PasswordChange, PasswordLogin};
use super::phone::PhoneRequest;
use super::visitor::{Visitor, client_ip, is_trusted};
use super::{bearer, problem};
use crate::document::Document;
use crate::error::{Code, Error};

fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n')
}

/// Headers, a line each, as `name: value`.
pub fn authorization(data: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in lines(data).take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    let accepted = ["Authorization".to_owned(), "X-Litemall-Token".to_owned()];
    match bearer::token(&headers, &accepted) {
        Ok(token) => {
            let token = token.expose();
            assert!(!token.is_empty() && token.trim() == token);
            let brings = |name: &String| {
                let mut values = headers.get_all(name).iter();
                let only = values.next().filter(|_| values.next().is_none());
                only.and_then(|value| value.to_str().ok()).is_some_and(|value| value.trim().ends_with(token))
            };
            assert!(accepted.iter().any(brings), "a token that no header brought alone");
        }
        Err(error) => assert!(matches!(error.code, Code::TokenMissing | Code::TokenInvalid)),
    }
    // What else is read of a request's headers.
    let _ = (Language::of(&headers), referer_app(&headers));
    let document =
        Document::of(br#"{"keys":[{"kty":"EC"},{"kty":"EC"},{"kty":"EC"},{"kty":"EC"}]}"#.to_vec());
    let status = conditional(&headers, &document, HeaderValue::from_static("no-store")).status();
    assert!(status == 200 || status == 304);
}

/// The peer's address, the trusted networks between commas, and then lists of X-Forwarded-For, a line each.
pub fn forwarded(data: &[u8]) {
    let mut lines = lines(data);
    let mut text = || std::str::from_utf8(lines.next().unwrap_or_default()).unwrap_or_default();
    let peer: IpAddr = text().parse().unwrap_or(IpAddr::from([10, 0, 0, 1]));
    let trusted: Vec<IpNet> = text().split(',').filter_map(|net| net.trim().parse().ok()).collect();
    let mut headers = HeaderMap::new();
    for list in lines.take(16) {
        if let Ok(list) = HeaderValue::from_bytes(list) {
            headers.append("x-forwarded-for", list);
        }
    }
    let client = client_ip(peer, &headers, &trusted);
    if client == peer {
        return;
    }
    assert!(is_trusted(peer, &trusted), "a stranger's word counts");
    // Somebody said so, and everybody to the right of that is trusted.
    let lists = headers.get_all("x-forwarded-for").iter().map(HeaderValue::as_bytes);
    let hops: Vec<IpAddr> = lists.flat_map(|list| list.split(|byte| *byte == b',')).filter_map(hop).collect();
    let vouched = |at: &usize| hops[at + 1..].iter().all(|hop| is_trusted(*hop, &trusted));
    let stands = |at: &usize| hops[*at] == client && vouched(at);
    assert!((0..hops.len()).any(|at| stands(&at)), "an address that nobody named");
}

/// As the walk reads one, in words of its own.
fn hop(bytes: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(bytes).ok()?.trim_matches(|c: char| c.is_ascii_whitespace());
    let ip = text.parse::<IpAddr>().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|both| both.ip()));
    let bare = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    ip.or_else(bare).map(|ip| ip.to_canonical())
}

/// A body, as `POST /v1/login` reads it, and as the other doors do.
pub fn login_body(data: &[u8]) {
    let visitor =
        Visitor { request_id: "1".into(), ip: IpAddr::from([192, 0, 2, 1]), language: Language::English };
    let login = read::<LoginRequest>(data, &visitor).map(|login| by_code(login, &visitor, &HeaderMap::new()));
    if let Some(login) = login.and_then(|login| login.map_err(|error| refused(error, &visitor)).ok()) {
        let code = login.code.as_ref().map_or("x", |code| code.expose());
        assert!((1..=128).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_graphic()));
        let profile = &login.profile;
        let texts = [&profile.nickname, &profile.avatar_url, &profile.country, &profile.province];
        assert!(texts.iter().all(|text| !text.contains(char::is_control)), "a control character is kept");
        assert!(profile.avatar_url.is_empty() || profile.avatar_url.starts_with("https://"));
        assert!((0..=2).contains(&profile.gender));
    }
    if let Some(Err(error)) = read::<AccountFields>(data, &visitor).map(|account| account.read("")) {
        refused(error, &visitor);
    }
    let _ = read::<PasswordLogin>(data, &visitor);
    let _ = read::<PasswordChange>(data, &visitor);
    let _ = read::<PhoneRequest>(data, &visitor);
    let _ = read::<UserInfo>(data, &visitor);
    let _ = read::<ProofFields>(data, &visitor).map(ProofFields::into_proof);
}

fn read<T: DeserializeOwned>(data: &[u8], visitor: &Visitor) -> Option<T> {
    parse(data).map_err(|error| refused(error, visitor)).ok()
}

/// With a code for bad input, and in words that don't come from it.
fn refused(error: Error, visitor: &Visitor) {
    assert_eq!(error.code.status(), 400, "{error}");
    assert!(error.advice().en.len() < 200 && error.advice().en.is_ascii(), "{}", error.advice().en);
    let answer = problem::rendered(error.into_response(), visitor);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
