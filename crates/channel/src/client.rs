//! The calling side.

use crate::error::{ChannelError, is_stale};
use crate::frames::{Reader, STREAM_TYPE};
use crate::identity::Identity;
use crate::inflow::{Inflow, StreamBounds};
use crate::limits::ClientOptions;
use crate::pool::{Connection, Pool, Progress, Stage};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::timeout;

/// A peer's words are cut to this length in errors.
const LONGEST_REFUSAL_BYTES: usize = 4 << 10;
/// Beyond this many peers, those without an open connection are forgotten.
const REMEMBERED_PEERS: usize = 256;

/// Calls peers. Clones share their connections and are cheap.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    options: ClientOptions,
    state: Mutex<State>,
}

struct State {
    identity: Identity,
    pools: HashMap<String, Arc<Pool>>,
}

impl Client {
    /// A client that shows `identity`; it connects when it is first used.
    pub fn new(identity: Identity, options: ClientOptions) -> Self {
        let state = Mutex::new(State { identity, pools: HashMap::new() });
        Self { inner: Arc::new(Inner { options, state }) }
    }

    /// Shows `identity` from now on, for all clones: a certificate of the operator's own CA was renewed. Calls in
    /// progress end as they began.
    pub fn renew(&self, identity: Identity) {
        let mut state = self.state();
        state.identity = identity;
        // Kept connections have shown the old certificate.
        state.pools.clear();
    }

    /// What this client was made with.
    pub fn options(&self) -> &ClientOptions {
        &self.inner.options
    }

    /// Sends `request` as JSON to `path` of the node `peer` (`host:port`), and reads its answer.
    ///
    /// The answer comes from a node whose certificate names exactly `peer` (with the operator's own CA: its host). All
    /// of it, connecting included, takes at most `deadline`; a call whose deadline passed, or whose future was dropped,
    /// closes its connection, so that no later call reads its answer. When a kept connection turns out to be closed
    /// before a byte of the answer came, the request is sent once more on a new one: it may be handled twice.
    ///
    /// # Errors
    /// See [`ChannelError`]; its variants say what to do.
    pub async fn call<Req, Resp>(
        &self,
        peer: &str,
        path: &str,
        request: &Req,
        deadline: Duration,
    ) -> Result<Resp, ChannelError>
    where
        Req: Serialize + ?Sized,
        Resp: DeserializeOwned,
    {
        let protocol = |reason: String| ChannelError::Protocol { peer: peer.to_owned(), reason };
        let body = serde_json::to_vec(request)
            .map_err(|error| protocol(format!("the request to {path} cannot be written as JSON: {error}")))?;
        let answer = self.call_bytes(peer, path, Bytes::from(body), deadline).await?;
        // An answer without a body is the answer `null`, so that `()` and `Option` can be asked for.
        let json: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(json)
            .map_err(|error| protocol(format!("its answer to {path} is not the expected JSON: {error}")))
    }

    /// As [`Client::call`], with the bytes of request and answer as they are.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_bytes(
        &self,
        peer: &str,
        path: &str,
        body: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, ChannelError> {
        let pool = self.pool(peer)?;
        let call = self.prepare(&pool, path, body)?;
        // On the heap: the states of connecting and TLS are large, and the caller's future holds them all.
        match timeout(deadline, Box::pin(call.run())).await {
            Ok(answer) => answer,
            Err(_) => Err(call.timed_out(deadline)),
        }
    }

    /// Sends `request` as JSON to `path` of the node `peer`, whose answer is a stream.
    ///
    /// `deadline` counts to the head of the answer; from there on `bounds` holds. The stream has a connection of its
    /// own, which ends with it. The request is sent once.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn open<Req>(
        &self,
        peer: &str,
        path: &str,
        request: &Req,
        deadline: Duration,
        bounds: StreamBounds,
    ) -> Result<Inflow, ChannelError>
    where
        Req: Serialize + ?Sized,
    {
        let body = serde_json::to_vec(request).map_err(|error| ChannelError::Protocol {
            peer: peer.to_owned(),
            reason: format!("the request to {path} cannot be written as JSON: {error}"),
        })?;
        let pool = self.pool(peer)?;
        let call = self.prepare(&pool, path, Bytes::from(body))?;
        match timeout(deadline, Box::pin(call.open(bounds))).await {
            Ok(answer) => answer,
            Err(_) => Err(call.timed_out(deadline)),
        }
    }

    fn prepare<'a>(&self, pool: &'a Pool, path: &'a str, body: Bytes) -> Result<Call<'a>, ChannelError> {
        let peer = &pool.endpoint;
        let limit = self.inner.options.max_request_bytes;
        if body.len() > limit {
            let detail = format!("{} bytes, the limit is {limit}", body.len());
            return Err(too_large(peer, path, "request to", detail));
        }
        let uri = path.parse::<Uri>().ok().filter(|_| path.starts_with('/')).ok_or_else(|| {
            ChannelError::Protocol { peer: peer.to_owned(), reason: format!("{path:?} is no path") }
        })?;
        let max_response_bytes = self.inner.options.max_response_bytes;
        Ok(Call { pool, uri, path, body, max_response_bytes, progress: Progress::new() })
    }

    /// Whether a connection to `peer` is open, or a call in progress may have one.
    pub(crate) fn may_be_connected(&self, peer: &str) -> bool {
        let state = self.state();
        state.pools.get(peer).is_some_and(|pool| pool.is_busy() || pool.has_idle())
    }

    fn pool(&self, peer: &str) -> Result<Arc<Pool>, ChannelError> {
        let mut state = self.state();
        if let Some(pool) = state.pools.get(peer) {
            return Ok(pool.clone());
        }
        if state.pools.len() >= REMEMBERED_PEERS {
            state.pools.retain(|_, pool| Arc::strong_count(pool) > 1 || pool.has_idle());
        }
        let pool = Arc::new(Pool::new(peer, &state.identity, &self.inner.options)?);
        state.pools.insert(peer.to_owned(), pool.clone());
        Ok(pool)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("identity", &self.state().identity)
            .field("options", &self.inner.options)
            .finish_non_exhaustive()
    }
}

/// One call in progress.
struct Call<'a> {
    pool: &'a Pool,
    uri: Uri,
    path: &'a str,
    body: Bytes,
    max_response_bytes: usize,
    progress: Progress,
}

impl Call<'_> {
    async fn run(&self) -> Result<Bytes, ChannelError> {
        let _slot = self.pool.slots.acquire().await.map_err(|_| self.protocol("the client is closed"))?;
        if let Some(mut kept) = self.pool.take_idle() {
            self.progress.enter(Stage::Answer);
            match kept.send(self.request()).await {
                Ok(response) => return self.finish(kept, response).await,
                Err(error) if is_stale(&error) => self.pool.forget_idle(),
                Err(error) => return Err(self.broken(&error)),
            }
        }
        let (fresh, response) = self.ask_anew().await?;
        self.finish(fresh, response).await
    }

    async fn open(&self, bounds: StreamBounds) -> Result<Inflow, ChannelError> {
        let slot = self.pool.streams.clone().acquire_owned().await;
        let slot = slot.map_err(|_| self.protocol("the client is closed"))?;
        let (connection, response) = self.ask_anew().await?;
        if !response.status().is_success() {
            let refused = self.finish(connection, response).await;
            return Err(refused.err().unwrap_or_else(|| self.protocol("it refused without a word")));
        }
        if response.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes) != Some(STREAM_TYPE.as_bytes()) {
            return Err(self.protocol(&format!("its answer to {} is no stream", self.path)));
        }
        Ok(Inflow {
            peer: self.pool.endpoint.clone(),
            path: self.path.to_owned(),
            naming: self.pool.naming,
            bounds,
            body: response.into_body(),
            reader: Reader::default(),
            hash: Sha256::new(),
            bytes: 0,
            end: None,
            _connection: connection,
            _slot: slot,
        })
    }

    async fn ask_anew(&self) -> Result<(Connection, Response<Incoming>), ChannelError> {
        let limit = self.pool.connect_timeout;
        let connected = timeout(limit, self.pool.connect(&self.progress)).await;
        let mut fresh = connected.map_err(|_| self.timed_out(limit))??;
        self.progress.enter(Stage::Answer);
        match fresh.send(self.request()).await {
            Ok(response) => Ok((fresh, response)),
            Err(error) => Err(self.broken(&error)),
        }
    }

    fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.insert(HOST, self.pool.host.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request
    }

    async fn finish(
        &self,
        connection: Connection,
        response: Response<Incoming>,
    ) -> Result<Bytes, ChannelError> {
        let status = response.status();
        let body = response.into_body();
        let limit = self.max_response_bytes;
        // Asked before reading, so that an answer that says its size is not read in vain.
        if body.size_hint().lower() > limit as u64 {
            return Err(self.answer_too_large());
        }
        let body = match Limited::new(body, limit).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) => {
                return Err(match error.downcast_ref::<hyper::Error>() {
                    Some(error) => self.broken(error),
                    None => self.answer_too_large(),
                });
            }
        };
        self.pool.keep(connection);
        if status.is_success() {
            return Ok(body);
        }
        let words = words(&body);
        if status == StatusCode::PAYLOAD_TOO_LARGE {
            return Err(too_large(&self.pool.endpoint, self.path, "request to", words));
        }
        Err(ChannelError::Refused {
            peer: self.pool.endpoint.clone(),
            path: self.path.to_owned(),
            status: status.as_u16(),
            body: words,
        })
    }

    fn timed_out(&self, after: Duration) -> ChannelError {
        let stage = self.progress.stage();
        match stage {
            Stage::Resolving | Stage::Connecting => ChannelError::Unreachable {
                peer: self.pool.endpoint.clone(),
                reason: format!("timed out after {} ms while {}", after.as_millis(), stage.text()),
            },
            Stage::Queued | Stage::Handshake | Stage::Answer => {
                if stage == Stage::Answer {
                    // A host that vanished without a word takes all its connections with it; the next call must
                    // find out at once whether it is back, not wait on another dead one.
                    self.pool.forget_idle();
                }
                ChannelError::Timeout {
                    peer: self.pool.endpoint.clone(),
                    path: self.path.to_owned(),
                    after,
                    stage: stage.text(),
                }
            }
        }
    }

    fn broken(&self, error: &hyper::Error) -> ChannelError {
        ChannelError::from_http(&self.pool.endpoint, self.pool.naming, error)
    }

    fn answer_too_large(&self) -> ChannelError {
        let detail = format!("the limit is {} bytes", self.max_response_bytes);
        too_large(&self.pool.endpoint, self.path, "answer from", detail)
    }

    fn protocol(&self, reason: &str) -> ChannelError {
        ChannelError::Protocol { peer: self.pool.endpoint.clone(), reason: reason.to_owned() }
    }
}

fn too_large(peer: &str, path: &str, what: &'static str, detail: String) -> ChannelError {
    ChannelError::TooLarge { peer: peer.to_owned(), path: path.to_owned(), what, detail }
}

/// A peer's words for people, cut to a bearable length.
fn words(body: &[u8]) -> String {
    let cut = body.len().min(LONGEST_REFUSAL_BYTES);
    String::from_utf8_lossy(body.get(..cut).unwrap_or_default()).into_owned()
}
