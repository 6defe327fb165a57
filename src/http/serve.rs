//! Two listeners, one end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connection::Side;
use super::places::Places;
use super::{Front, internal};
use crate::app::App;
use crate::error::{Code, Error};

/// Where no connection can be taken (no file descriptor is left), it is tried again after this.
const PAUSE: Duration = Duration::from_millis(100);

/// And said again after so many times.
const OFTEN: u32 = 100;

/// Serves both sides, the public one by this door, until `end` comes. It says how long to go on then, with `/readyz` saying
/// no: those who send us requests find out that they shouldn't. After that nobody is let in any more, and what is under way is
/// finished.
pub async fn serve(
    app: Arc<App>,
    public: Front,
    public_side: TcpListener,
    internal_side: TcpListener,
    end: impl Future<Output = Duration> + Send + 'static,
) {
    let (stop, stopped) = watch::channel(());
    let leaving = app.clone();
    tokio::spawn(async move {
        let drain = end.await;
        leaving.leave();
        tokio::time::sleep(drain).await;
        drop(stop);
    });
    let mut over = stopped.clone();
    let http = &app.config.http;
    let outside = Side::new(public, app.tls.clone(), http);
    let inside = Side::new(internal(app.clone()), None, http);
    let sides = async {
        tokio::join!(
            accept(public_side, outside, Places::public(&app.config), stopped.clone()),
            accept(internal_side, inside, Places::internal(), stopped.clone()),
        );
    };
    // No request takes longer than its timeout; a connection that is still open then has none to finish.
    let patience = async {
        while over.changed().await.is_ok() {}
        tokio::time::sleep(http.request_timeout).await;
    };
    tokio::select! { () = sides => {}, () = patience => {} }
    app.rooms.store.close().await;
}

/// Lets in whoever connects and finds a place, and returns when the last one is gone.
async fn accept(listener: TcpListener, side: Side, places: Places, mut stopped: watch::Receiver<()>) {
    let (side, places) = (Arc::new(side), Arc::new(places));
    let mut refused = 0_u32;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Ends with the sender.
            changed = stopped.changed() => if changed.is_err() { break } else { continue },
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_peers(&error) => continue,
            Err(error) => {
                if refused.is_multiple_of(OFTEN) {
                    tracing::error!(
                        %error,
                        "no connection can be taken: raise the number of open files (LimitNOFILE, ulimit -n) above \
                         http.max_connections and what the database and WeChat need"
                    );
                }
                refused = refused.wrapping_add(1);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        refused = 0;
        let Some(place) = places.take(peer.ip()) else {
            turn_away(&stream, side.tls.is_some());
            continue;
        };
        let (side, stopped) = (side.clone(), stopped.clone());
        tokio::spawn(async move {
            side.attend(stream, peer, stopped).await;
            drop(place);
        });
    }
    // Nobody else may wait at a door that doesn't open any more.
    drop(listener);
    places.all_free().await;
}

/// What happened to one connection before it was ours.
fn is_the_peers(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Tells one connection too many to come again, as far as its buffer takes it; through TLS nothing can be told.
fn turn_away(stream: &TcpStream, tls: bool) {
    if tls {
        return;
    }
    let busy = Error::from(Code::Busy);
    let (urn, code) = (busy.code.urn(), busy.code.as_str());
    let (title, detail) = (busy.code.title().zh, busy.advice().zh);
    let body =
        format!(r#"{{"type":"{urn}","title":"{title}","status":503,"code":"{code}","detail":"{detail}"}}"#);
    let (seconds, length) = (busy.retry_after_seconds().unwrap_or(1), body.len());
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nretry-after: {seconds}\r\ncontent-type: application/problem+json\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    drop(stream.try_write(answer.as_bytes()));
}
