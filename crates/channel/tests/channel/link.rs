//! One-way messages.

use crate::fixture::{LONG, client, free_addr, identity, serve};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use xenon_channel::{Bytes, Client, ClientOptions, Incoming, Link, LinkState, Outgoing};

async fn wait_until(link: &Link, wanted: impl Fn(&LinkState) -> bool) -> LinkState {
    timeout(LONG, async {
        loop {
            let state = link.state();
            if wanted(&state) {
                return state;
            }
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("never came to pass: {:?}", link.state()))
}

fn message(number: u32) -> Bytes {
    Bytes::from(number.to_string())
}

/// A handler that keeps what it hears.
fn recorder(heard: &Arc<Mutex<Vec<u32>>>) -> impl Fn(Incoming) -> std::future::Ready<Outgoing> + use<> {
    let heard = heard.clone();
    move |incoming| {
        heard.lock().unwrap().push(serde_json::from_slice(&incoming.body).unwrap());
        std::future::ready(Outgoing::json(&()))
    }
}

#[tokio::test]
async fn messages_arrive_in_order() {
    let addr = free_addr("127.0.106.1");
    let heard = Arc::new(Mutex::new(Vec::new()));
    let _server = serve(addr, recorder(&heard));
    let patient = ClientOptions { link_deadline: LONG, ..ClientOptions::default() };
    let link = Link::spawn(Client::new(identity("a:1"), patient), &addr.to_string(), "/", 200);
    (0..200).for_each(|number| link.send(message(number)));
    let state = wait_until(&link, |state| state.delivered == 200).await;
    assert_eq!((state.connected, state.failed, state.forgotten), (true, 0, 0));
    assert_eq!(*heard.lock().unwrap(), (0..200).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_peer_that_comes_back_gets_the_next_message() {
    let addr = free_addr("127.0.106.2");
    let link = Link::spawn(client("a:1"), &addr.to_string(), "/", 10);
    for failures in 1..=3 {
        link.send(message(0));
        let state = wait_until(&link, |state| state.consecutive_failures == failures).await;
        assert!(!state.connected);
        assert!(state.last_error.unwrap().contains("connection refused"));
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let server = serve(addr, recorder(&heard));
    link.send(message(1));
    let state = wait_until(&link, |state| state.delivered == 1).await;
    assert_eq!((state.connected, state.last_error, state.consecutive_failures), (true, None, 0));
    assert_eq!(*heard.lock().unwrap(), [1]);

    server.shutdown().await;
    let state = wait_until(&link, |state| !state.connected).await;
    assert_eq!(state.consecutive_failures, 0);
}

#[tokio::test]
async fn a_full_queue_forgets_its_oldest_message() {
    let addr = free_addr("127.0.106.3");
    let heard = Arc::new(Mutex::new(Vec::<u32>::new()));
    let leave = Arc::new(Semaphore::new(0));
    let (hearing, leaving) = (heard.clone(), leave.clone());
    let _server = serve(addr, move |incoming: Incoming| {
        hearing.lock().unwrap().push(serde_json::from_slice(&incoming.body).unwrap());
        let leaving = leaving.clone();
        async move {
            leaving.acquire().await.unwrap().forget();
            Outgoing::json(&())
        }
    });
    let patient = ClientOptions { link_deadline: LONG, ..ClientOptions::default() };
    let link = Link::spawn(Client::new(identity("a:1"), patient), &addr.to_string(), "/", 2);
    link.send(message(0));
    timeout(LONG, async {
        while heard.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
    })
    .await
    .unwrap();
    (1..=5).for_each(|number| link.send(message(number)));
    assert_eq!(link.state().forgotten, 3);
    leave.add_permits(10);
    wait_until(&link, |state| state.delivered == 3).await;
    assert_eq!(*heard.lock().unwrap(), [0, 4, 5]);
}

#[tokio::test]
async fn a_message_that_waited_too_long_is_forgotten() {
    // Accepts, and never answers.
    let listener = tokio::net::TcpListener::bind("127.0.106.4:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let hasty = ClientOptions { link_deadline: Duration::from_millis(50), ..ClientOptions::default() };
    let link = Link::spawn(Client::new(identity("a:1"), hasty), &addr.to_string(), "/", 10);
    (0..5).for_each(|number| link.send(message(number)));
    // The first takes all the time there was for the others.
    let state = wait_until(&link, |state| state.failed + state.forgotten == 5).await;
    assert!(state.failed >= 1 && state.forgotten >= 1, "{state:?}");
}

#[tokio::test]
async fn a_dropped_link_ends_its_task() {
    let addr = free_addr("127.0.106.5");
    let (entered, ended) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
    let (entering, ending) = (entered.clone(), ended.clone());
    struct Ends(Arc<Semaphore>);
    impl Drop for Ends {
        fn drop(&mut self) {
            self.0.add_permits(1);
        }
    }
    let _server = serve(addr, move |_: Incoming| {
        entering.add_permits(1);
        let guard = Ends(ending.clone());
        async move {
            let _guard = guard;
            std::future::pending::<Outgoing>().await
        }
    });
    let patient = ClientOptions { link_deadline: LONG, ..ClientOptions::default() };
    let link = Link::spawn(Client::new(identity("a:1"), patient), &addr.to_string(), "/", 2);
    link.send(message(0));
    let _entered = timeout(LONG, entered.acquire()).await.unwrap().unwrap();
    drop(link);
    let _ended = timeout(LONG, ended.acquire()).await.unwrap().unwrap();
}
