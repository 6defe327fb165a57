//! Documents that are made from the code: a test that fails names the command that renews them.

use std::path::Path;

use wxgate::error::Code;

/// `WXGATE_RENEW=1` writes the file anew.
#[track_caller]
fn is_current(path: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("WXGATE_RENEW").is_some() {
        std::fs::write(&path, wanted).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        there == wanted,
        "{} is out of date; renew it: WXGATE_RENEW=1 cargo test --test it documents",
        path.display()
    );
}

#[test]
fn docs_errors_md_is_the_table_of_codes() {
    let mut text = String::from(
        "# Errors\n\n<!-- Made from src/error/table.rs: WXGATE_RENEW=1 cargo test --test it documents -->\n\n\
         At the native doors an error is `application/problem+json` (RFC 9457): compare `code`, show `title`, do what\n\
         `detail` says, quote `requestId`. At `/wx/auth/*` it is HTTP 200 with `errno`. 429 and 503 carry `Retry-After`\n\
         (seconds; the default is in the table), 401 carries `WWW-Authenticate`.\n\n\
         | code | HTTP | errno | Retry-After | 中文 | English |\n|---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let (title, advice) = (code.title(), code.advice());
        let retry = code.retry_after().map_or_else(String::new, |span| span.as_secs().to_string());
        text.push_str(&format!(
            "| `{}` | {} | {} | {retry} | {}。{} | {}. {} |\n",
            code.as_str(),
            code.status(),
            code.errno(),
            title.zh,
            advice.zh,
            title.en,
            advice.en
        ));
    }
    is_current("docs/errors.md", &text);
}

#[test]
fn docs_openapi_json_is_the_served_document() {
    let mut text = wxgate::http::openapi().to_pretty_json().unwrap();
    text.push('\n');
    is_current("docs/openapi.json", &text);
}

#[test]
fn the_document_describes_every_native_address() {
    let document = serde_json::to_value(wxgate::http::openapi()).unwrap();
    let mut paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "/.well-known/jwks.json",
            "/.well-known/oauth-authorization-server",
            "/.well-known/openid-configuration",
            "/v1/accounts",
            "/v1/login",
            "/v1/login/password",
            "/v1/logout",
            "/v1/me",
            "/v1/me/account",
            "/v1/me/decrypt",
            "/v1/me/password",
            "/v1/me/phone",
            "/v1/me/wechat-session",
            "/v1/me/wechat-session/reset",
            "/v1/revocations",
        ]
    );
}

/// The document's examples are as real answers are: the same members, of the same types.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_session_has_the_members_of_a_real_one() {
    let world = crate::world::World::on(crate::world::Kind::Sqlite).await;
    let real = world.login("alice").await;
    let document = serde_json::to_value(wxgate::http::openapi()).unwrap();
    let example =
        &document["paths"]["/v1/login"]["post"]["responses"]["200"]["content"]["application/json"]["example"];
    let names = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(example), names(&real));
    assert_eq!(names(&example["userInfo"]), names(&real["userInfo"]));
    let show =
        &document["paths"]["/v1/me"]["get"]["responses"]["200"]["content"]["application/json"]["example"];
    assert_eq!(
        names(show),
        names(&world.ask("GET", "/v1/me", &real, serde_json::Value::Null).await.status(200).json())
    );
    for (schema, real) in [("Session", &real), ("UserInfo", &real["userInfo"])] {
        let described = document["components"]["schemas"][schema]["properties"].as_object().unwrap();
        for (name, value) in real.as_object().unwrap() {
            let example =
                &described.get(name).unwrap_or_else(|| panic!("{schema}.{name} is not described"))["example"];
            let alike = example.is_null() || std::mem::discriminant(example) == std::mem::discriminant(value);
            assert!(alike, "{schema}.{name}: {example} is not like {value}");
        }
    }
}
