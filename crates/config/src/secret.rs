//! Secrets: text that is never printed.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;
use std::fmt;

/// A password or a shared secret. `Debug` and `Display` print `***`; [`Secret::expose`] gives the text.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// The text itself. Give it only to the one that needs it; never to a log, an argument or an error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// No secret at all, as in `"passwd": ""`.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Secret(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Secret(text.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl JsonSchema for Secret {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "format": "password"})
    }
}

/// What all agents of a cluster know and nobody else: the key of its certificates comes from it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClusterSecret {
    /// The secret's bytes. Not a key yet: derive one (HKDF).
    pub bytes: Vec<u8>,
    /// Where it came from.
    pub source: ClusterSecretSource,
}

impl ClusterSecret {
    /// What to tell the operator about where the secret comes from; `None` when nothing is wrong with it.
    pub fn warning(&self) -> Option<&'static str> {
        match self.source {
            ClusterSecretSource::Explicit | ClusterSecretSource::File => None,
            ClusterSecretSource::DerivedFromReplicationAccount => Some(
                "agents know each other by a secret derived from the replication account, which every server of the \
                 cluster and its backups can give away; set server.secret (the same text on every node) to a random one",
            ),
        }
    }
}

impl fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSecret").field("bytes", &"***").field("source", &self.source).finish()
    }
}

/// Where a [`ClusterSecret`] came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterSecretSource {
    /// `server.secret`.
    Explicit,
    /// The file named by `server.secret-file`.
    File,
    /// Neither is given: made of `replication.user` and `replication.passwd`. It is as hard to guess as that password.
    DerivedFromReplicationAccount,
}

/// `server.secret-file` names a file that was not read: the text came from [`crate::parse`], which reads no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file named by server.secret-file was not read; load the configuration from its file")]
pub struct SecretNotRead;

pub(crate) fn derived(user: &str, password: &Secret) -> ClusterSecret {
    // The separator cannot occur in a user name, so no two accounts give the same bytes.
    let text = format!("xenon replication account\0{user}\0{}", password.expose());
    ClusterSecret { bytes: text.into_bytes(), source: ClusterSecretSource::DerivedFromReplicationAccount }
}

pub(crate) fn given(secret: &Secret, source: ClusterSecretSource) -> ClusterSecret {
    ClusterSecret { bytes: secret.expose().as_bytes().to_vec(), source }
}
