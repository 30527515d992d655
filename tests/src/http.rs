//! A plain HTTP client, for the agents' API.

use anyhow::{Context, Result, anyhow};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use xenon_testkit::{Account, Node};

/// An answer.
#[derive(Debug)]
pub struct Got {
    /// Its status.
    pub status: u16,
    /// Its body; `null` when it is no JSON.
    pub json: serde_json::Value,
    /// It as it came, when it is no JSON.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

/// Asks a node's agent over HTTP; as `login` when one is given.
///
/// # Errors
/// It does not answer within the bound.
pub async fn ask(
    node: &Node,
    login: Option<&Account>,
    method: &str,
    path: &str,
    body: &str,
    bound: Duration,
) -> Result<Got> {
    let begun = Instant::now();
    let text = timeout(bound, exchange(node, login, method, path, body))
        .await
        .map_err(|_| anyhow!("{method} {path} of {}: no answer within {bound:?}", node.name))??;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer with a head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("a status")?;
    let (json, text) = match serde_json::from_str(body) {
        Ok(json) => (json, String::new()),
        Err(_) => (serde_json::Value::Null, body.to_owned()),
    };
    Ok(Got { status, json, text, took: begun.elapsed() })
}

async fn exchange(
    node: &Node,
    login: Option<&Account>,
    method: &str,
    path: &str,
    body: &str,
) -> Result<String> {
    let mut stream = TcpStream::connect(node.http()).await?;
    stream.write_all(head(node, login, method, path, body).as_bytes()).await?;
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await?;
    Ok(String::from_utf8(got)?)
}

fn head(node: &Node, login: Option<&Account>, method: &str, path: &str, body: &str) -> String {
    let login = login.map(|account| {
        let text = base64(format!("{}:{}", account.user, account.password).as_bytes());
        format!("Authorization: Basic {text}\r\n")
    });
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: application/json\r\n{}Content-Length: \
         {}\r\n\r\n{body}",
        node.http(),
        login.unwrap_or_default(),
        body.len()
    )
}

/// Begins to read a node's events, and gives the connection.
///
/// # Errors
/// It cannot be reached.
pub async fn events(node: &Node, login: &Account) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(node.http()).await?;
    stream.write_all(head(node, Some(login), "GET", "/api/v1/events/stream", "").as_bytes()).await?;
    Ok(stream)
}

/// Reads on until a text has come.
///
/// # Errors
/// It does not come within the bound.
pub async fn read_until(stream: &mut TcpStream, wanted: &str, bound: Duration) -> Result<String> {
    let mut text = String::new();
    let read = async {
        let mut buffer = [0; 8192];
        while !text.contains(wanted) {
            match stream.read(&mut buffer).await? {
                0 => return Err(anyhow!("it ended")),
                count => text.push_str(&String::from_utf8_lossy(buffer.get(..count).unwrap_or_default())),
            }
        }
        Ok(())
    };
    match timeout(bound, read).await {
        Ok(Ok(())) => Ok(text),
        Ok(Err(error)) => Err(error.context(format!("no {wanted:?} in {text}"))),
        Err(_) => Err(anyhow!("no {wanted:?} within {bound:?}")),
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let all = chunk.iter().fold(0u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS.get((all >> (18 - 6 * place) & 63) as usize).copied().unwrap_or(b'=');
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}
