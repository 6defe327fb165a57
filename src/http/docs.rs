//! `/openapi.json` and `/docs`: the document is made from the handlers, the page is compiled in (no CDN).

use axum::Router;
use axum::http::StatusCode;
use axum::middleware::map_response;
use axum::response::{IntoResponse as _, Response};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Spec, Ref, ResponseBuilder, Server};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

use super::AppState;
use crate::error::{Code, Error};

/// The document's head; `routes` adds the paths.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "wxgate",
        description = "微信小程序登录网关 · The auth gateway for WeChat mini-programs.\n\n\
            小程序把 `wx.login` 得到的 `code` 发到 `POST /v1/login`，换回一个签名的 JWT；其他服务用 \
            `/.well-known/jwks.json` 里的公钥校验它。出错时返回 `application/problem+json`，请按 `code` 字段判断。\n\n\
            A mini-program sends the `code` of `wx.login` to `POST /v1/login` and gets a signed JWT; other services \
            verify it with the keys at `/.well-known/jwks.json`. Errors are `application/problem+json`: compare `code`."
    ),
    tags(
        (name = "login", description = "登录 · Log in"),
        (name = "me", description = "当前用户 · The logged-in user"),
        (name = "keys", description = "公钥 · What other services verify with"),
    ),
    modifiers(&Bearer)
)]
pub(super) struct Document;

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, spec: &mut Spec) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        spec.components.get_or_insert_default().add_security_scheme("bearer", SecurityScheme::Http(scheme));
        // Relative: wherever the document came from.
        spec.servers = Some(vec![Server::new("/")]);
    }
}

/// What every operation may answer besides what its own lines say: its status, its name, its codes.
const ANY: [(&str, &str, &str); 2] = [
    ("500", "Internal", "internal, wechat_misconfigured: for whoever runs the server"),
    (
        "503",
        "Unavailable",
        "store_unavailable, wechat_unavailable, busy, request_timeout: try again after the time in Retry-After",
    ),
];
/// And one that takes a body.
const WITH_BODY: [(&str, &str, &str); 3] = [
    ("408", "BodyTimeout", "body_timeout: the body took too long to come"),
    ("413", "BodyTooLarge", "body_too_large"),
    ("415", "UnsupportedMediaType", "unsupported_media_type: only application/json is read"),
];

/// Adds those to each operation that doesn't describe them itself.
pub(super) fn complete(spec: &mut Spec) {
    let components = spec.components.get_or_insert_default();
    for (_, name, codes) in ANY.iter().chain(&WITH_BODY) {
        let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
        let response =
            ResponseBuilder::new().description(*codes).content("application/problem+json", problem);
        components.responses.insert((*name).to_owned(), response.build().into());
    }
    for item in spec.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch];
        for operation in operations.into_iter().flatten() {
            let bodies = if operation.request_body.is_some() { &WITH_BODY[..] } else { &[] };
            for (status, name, _) in ANY.iter().chain(bodies) {
                let responses = &mut operation.responses.responses;
                responses
                    .entry((*status).to_owned())
                    .or_insert_with(|| Ref::from_response_name(*name).into());
            }
        }
    }
}

/// The whole document.
pub fn openapi() -> Spec {
    super::routes::described().into_openapi()
}

/// Serves the document and the page.
pub(super) fn page(spec: Spec) -> Router<AppState> {
    // A part that isn't there is said as everywhere.
    let named = async |answer: Response| {
        if answer.status() == StatusCode::NOT_FOUND {
            Error::from(Code::NotFound).into_response()
        } else {
            answer
        }
    };
    Router::from(SwaggerUi::new("/docs").url("/openapi.json", spec)).layer(map_response(named))
}
