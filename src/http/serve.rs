//! Two listeners, one end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::ServiceExt as _;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tower_service::Service;

use super::{Front, internal};
use crate::app::App;

/// Serves both sides, the public one by this router, until `end` comes, then lets what is under way finish.
pub async fn serve(
    app: Arc<App>,
    public: Front,
    public_side: TcpListener,
    internal_side: TcpListener,
    end: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let (stop, stopped) = watch::channel(());
    tokio::spawn(async move {
        end.await;
        drop(stop);
    });
    let mut over = stopped.clone();
    let grace = app.config.http.request_timeout;
    let sides = async {
        let (first, second) = tokio::join!(
            run(public_side, public, stopped.clone()),
            run(internal_side, internal(app.clone()), stopped),
        );
        first.and(second)
    };
    // No request takes longer than its timeout; a connection that is still open then has none to finish.
    let patience = async {
        while over.changed().await.is_ok() {}
        tokio::time::sleep(grace).await;
    };
    let served = tokio::select! { served = sides => served, () = patience => Ok(()) };
    app.rooms.store.close().await;
    served
}

async fn run<S>(listener: TcpListener, doors: S, mut stopped: watch::Receiver<()>) -> std::io::Result<()>
where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + 'static,
{
    let service = doors.into_make_service_with_connect_info::<SocketAddr>();
    let stop = async move {
        // Ends with the sender.
        while stopped.changed().await.is_ok() {}
    };
    // An answer is one write: nothing is gained by holding it back for more.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}
