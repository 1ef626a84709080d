//! The front: the page, and the way from it to the processes.

use axum::extract::{Path, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};

use crate::origin::USERS;
use crate::sandbox::{self, Sandbox};
use crate::web::Answer;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

pub(crate) fn router(sandbox: Sandbox) -> Router {
    Router::new()
        .route("/", file("text/html", include_str!("page/index.html")))
        .route("/style.css", file("text/css", include_str!("page/style.css")))
        .route("/page.js", file("text/javascript", include_str!("page/page.js")))
        .route("/icon.svg", file("image/svg+xml", include_str!("page/icon.svg")))
        .route("/state", get(state))
        .route("/timelines/{user}", get(read))
        .route("/timelines/{user}/{change}", post(change))
        .route("/worker/{change}", post(worker))
        .layer(from_fn(same_origin))
        .with_state(sandbox)
}

fn file(mime: &'static str, content: &'static str) -> MethodRouter<Sandbox> {
    get(move || async move { ([(CONTENT_TYPE, format!("{mime}; charset=utf-8"))], content) })
}

/// Refuses what another site asks for through the browser, and lets the page load nothing from elsewhere.
async fn same_origin(request: Request, next: Next) -> Response {
    let site = request.headers().get(FETCH_SITE);
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return StatusCode::FORBIDDEN.into_response();
    }
    let policy = [(CONTENT_SECURITY_POLICY, "default-src 'self'"), (CACHE_CONTROL, "no-store")];
    (policy, next.run(request).await).into_response()
}

async fn state(State(sandbox): State<Sandbox>) -> Result<Json<sandbox::State>, Failed> {
    Ok(Json(sandbox.state().await?))
}

async fn read(State(sandbox): State<Sandbox>, Path(user): Path<String>) -> Result<Json<Answer>, Failed> {
    Ok(Json(sandbox.read(known(&user)?).await?))
}

async fn change(
    State(sandbox): State<Sandbox>,
    Path((user, change)): Path<(String, String)>,
) -> Result<StatusCode, Failed> {
    sandbox.change(known(&user)?, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn worker(State(sandbox): State<Sandbox>, Path(change): Path<String>) -> Result<StatusCode, Failed> {
    match &*change {
        "kill" => sandbox.kill_worker().await?,
        "start" => sandbox.hire().await?,
        _ => return Ok(StatusCode::NOT_FOUND),
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The place of a user. Others are not asked for.
fn known(user: &str) -> Result<usize, Failed> {
    let place = USERS.iter().position(|known| *known == user);
    place.ok_or_else(|| Failed(StatusCode::NOT_FOUND, "there is no such user".to_owned()))
}

struct Failed(StatusCode, String);

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self(StatusCode::SERVICE_UNAVAILABLE, format!("{error:#}"))
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}
