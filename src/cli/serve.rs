//! `wxgate serve`

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, timeout};

use super::files::{warn_of_end, warn_of_loose};
use super::keys::soon;
use super::{Failure, Outcome, asked_to_end, clock, descriptors, listen, migrate, reload};
use crate::app::App;
use crate::config::Config;
use crate::{http, telemetry};

pub(super) async fn run(config: Config, file: Option<PathBuf>) -> Outcome {
    let clock = clock();
    telemetry::init(&config.log).map_err(Failure::Other)?;
    telemetry::count();
    tokio::spawn(keep_up());
    descriptors::raise(config.http.max_connections);
    // From the start: a change made while the doors open is one.
    let watched = reload::Watched::of(file, &config);
    let hangups = reload::hangups()?;
    let public_side = listen("http.listen", config.http.listen).await?;
    let internal_side = listen("http.internal_listen", config.http.internal_listen).await?;
    if config.database.migrate_on_start {
        migrate::up(&config.database).await.map_err(Failure::Other)?;
    } else if migrate::missing(&config.database).await.map_err(Failure::Other)? > 0 {
        let text = "the database's tables are not up to date, and database.migrate_on_start is false: \
                    run `wxgate migrate up`, or `wxgate migrate status` to see what is missing";
        return Err(Failure::Other(text.into()));
    }
    let app = Arc::new(App::build(config, clock).await?);
    announce(&app, &public_side, &internal_side);
    warn_of_loose(&app.config.files);
    warn_of_end(app.tls.as_deref(), app.rooms.now());
    for key in soon(&app.rooms.tokens.plan(), &app.config.tokens, app.rooms.now()) {
        tracing::warn!(
            file = %key.file.display(),
            sign_from = key.signs.map(tracing::field::display),
            "this key signs before siblings can have fetched it from this start on: if it wasn't published before, set its \
             sign_from to tokens.verifier_cache and five minutes from now, or later"
        );
    }
    tokio::spawn(look_after(app.clone()));
    tokio::spawn(reload::watch(app.clone(), watched, hangups));
    let drain = app.config.http.drain;
    let end = async move {
        let drain = asked_to_end(drain).await;
        tell(&[NotifyState::Stopping]);
        drain
    };
    tell(&[NotifyState::Ready]);
    http::serve(app.clone(), http::public(app), public_side, internal_side, end).await;
    Ok(())
}

/// Tells systemd, where it asked to be told (Type=notify).
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd can't be told how it stands here");
    }
}

/// Asks the database whether it is there, so that connections which are lost are made anew where nobody asks `/readyz`. What it
/// says is `/readyz`'s to tell.
async fn look_after(app: Arc<App>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let _ = timeout(EVERY, app.rooms.store.ping()).await;
    }
}

/// So often something is looked after.
const EVERY: Duration = Duration::from_secs(5);

/// Between two questions of Prometheus', which may never come.
async fn keep_up() {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        telemetry::keep_up();
    }
}

/// What an operator wants to see at a start, each on a line of its own.
fn announce(app: &App, public_side: &TcpListener, internal_side: &TcpListener) {
    let (config, rooms) = (&app.config, &app.rooms);
    let apps: Vec<&str> = config.wechat.apps.iter().map(|app| app.id.as_str()).collect();
    // As bound: a configured port 0 has become a real one.
    let bound = |listener: &TcpListener| {
        listener.local_addr().map_or_else(|_| "?".into(), |address| address.to_string())
    };
    let tls = if app.tls.is_some() { "its own" } else { "none: a proxy's" };
    tracing::info!(listen = bound(public_side), issuer = rooms.tokens.issuer(), tls, "public side");
    tracing::info!(listen = bound(internal_side), "internal side: /livez, /readyz, /metrics, /console/");
    tracing::info!(kind = rooms.store.kind(), "database");
    tracing::info!(base_url = config.wechat.base_url, apps = apps.join(", "), "WeChat");
    let published = rooms.tokens.published(rooms.now());
    tracing::info!(
        keys = published.keys().len(),
        algorithms = published.algorithms().join(", "),
        "published keys"
    );
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "wxgate is ready");
}
