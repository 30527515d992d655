//! One connection of the server, from its verified certificate to its end.

use crate::frames::STREAM_TYPE;
use crate::handler::{Answer, Handler, Incoming, Outgoing, Peer};
use crate::limits::Limits;
use crate::outflow::Flowing;
use crate::phase::{Observed, Phase, PhaseClock};
use crate::seats::Seats;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Bytes, Incoming as HttpBody};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

/// An oversized body is read and thrown away up to this many times the limit before it is answered: closing at once
/// would reset the connection, and the caller might lose the answer that tells it why.
const DRAIN_FACTOR: u64 = 4;

/// What all connections of a server share.
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) handler: Arc<dyn Handler>,
    /// One permit a byte of [`Limits::max_bodies_bytes`].
    pub(crate) bodies: Semaphore,
    /// One a stream in progress.
    pub(crate) streams: Arc<Seats>,
}

/// Serves `io` until it closes, breaks a limit, or `stop` turns true and the request in progress is answered.
pub(crate) async fn serve<IO>(io: IO, peer: Peer, shared: Arc<Shared>, mut stop: watch::Receiver<bool>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let clock = PhaseClock::new();
    let service = service_fn(|request| {
        let (shared, peer, clock) = (shared.clone(), peer.clone(), clock.clone());
        async move { Ok::<_, Infallible>(answer(request, peer, &shared, &clock).await) }
    });
    let io = TokioIo::new(Observed { io, clock: clock.clone() });
    let mut connection = pin!(
        hyper::server::conn::http1::Builder::new()
            .header_read_timeout(None)
            .max_buf_size(shared.limits.max_head_bytes.max(8192))
            .auto_date_header(false)
            .serve_connection(io, service)
    );

    let limits = &shared.limits;
    let mut alarm = pin!(sleep_until(clock.deadline(limits)));
    let mut stopping = pin!(async move {
        // An error means that the server is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    });
    let mut told = false;
    poll_fn(|cx| {
        if !told && stopping.as_mut().poll(cx).is_ready() {
            told = true;
            connection.as_mut().graceful_shutdown();
        }
        if let Poll::Ready(end) = connection.as_mut().poll(cx) {
            if let Err(error) = end {
                tracing::debug!(peer = %peer.addr(), %error, "a connection ended in an error");
            }
            return Poll::Ready(());
        }
        loop {
            let deadline = clock.deadline(limits);
            // A later deadline leaves the alarm as it is: it is looked at again when it rings.
            if deadline < alarm.deadline() {
                alarm.as_mut().reset(deadline);
            }
            ready!(alarm.as_mut().poll(cx));
            if deadline <= Instant::now() {
                let phase = clock.phase();
                if phase != Phase::Idle {
                    tracing::warn!(peer = %peer.addr(), names = peer.names(), ?phase, "closed a connection that took too long");
                }
                return Poll::Ready(());
            }
            alarm.as_mut().reset(deadline);
        }
    })
    .await;
}

async fn answer(
    request: Request<HttpBody>,
    peer: Peer,
    shared: &Shared,
    clock: &PhaseClock,
) -> Response<Either<Full<Bytes>, Flowing>> {
    clock.enter(Phase::Body);
    let certificate = peer.certificate().clone();
    let answer = match receive(request, peer, shared).await {
        Ok((incoming, _bodies)) => {
            clock.enter(Phase::Handling);
            shared.handler.handle(incoming).await
        }
        Err(refusal) => refusal.into(),
    };
    let outgoing = match answer {
        Answer::Whole(outgoing) => outgoing,
        Answer::Stream(stream) => match shared.streams.take(&certificate) {
            Ok(seat) => {
                clock.enter(Phase::Streaming);
                let mut response = Response::new(Either::Right(Flowing::new(stream, clock.clone(), seat)));
                let kind = HeaderValue::from_static(STREAM_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                return response;
            }
            Err(_) => Outgoing::text(503, "too many streams at once; try again later"),
        },
    };
    clock.enter(Phase::Responding);
    respond(outgoing).map(Either::Left)
}

/// Reads a request within the limits; the permit counts its body until the handler is done.
async fn receive<'a>(
    request: Request<HttpBody>,
    peer: Peer,
    shared: &'a Shared,
) -> Result<(Incoming, tokio::sync::SemaphorePermit<'a>), Outgoing> {
    if request.method() != Method::POST {
        return Err(Outgoing::text(405, "requests to this port are made with POST"));
    }
    let path = request.uri().path().to_owned();
    let mut body = request.into_body();
    let Some(length) = body.size_hint().exact() else {
        return Err(Outgoing::text(411, "say the length of the body (Content-Length)"));
    };
    let limit = shared.limits.max_body_bytes;
    let permits = match u32::try_from(length) {
        Ok(_) if length <= limit.min(shared.limits.small_body_bytes) as u64 => 0,
        Ok(permits) if length <= limit as u64 => permits,
        _ => {
            if length <= (limit as u64).saturating_mul(DRAIN_FACTOR) {
                while let Some(Ok(_)) = body.frame().await {}
            }
            let sentence = format!("the request has {length} bytes; this node takes {limit}");
            return Err(Outgoing::text(413, sentence));
        }
    };
    let Ok(bodies) = shared.bodies.try_acquire_many(permits) else {
        return Err(Outgoing::text(503, "too many large requests at once; try again"));
    };
    let body = body
        .collect()
        .await
        .map_err(|error| Outgoing::text(400, format!("the body of the request is broken: {error}")))?
        .to_bytes();
    Ok((Incoming { peer, path, body }, bodies))
}

fn respond(outgoing: Outgoing) -> Response<Full<Bytes>> {
    // Hyper writes no final answer below 200; a handler that asks for one has a bug.
    let status = StatusCode::from_u16(outgoing.status)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let content_type = if status.is_success() { "application/json" } else { "text/plain; charset=utf-8" };
    let mut response = Response::new(Full::new(Bytes::from(outgoing.body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
