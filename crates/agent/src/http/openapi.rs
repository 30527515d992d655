//! The description of the API, made from the types that the code answers with.

use schemars::JsonSchema;

/// What agents do by themselves with a node that cannot come back as it is.
#[derive(JsonSchema)]
#[serde(rename_all = "lowercase")]
#[allow(dead_code, reason = "only its schema is wanted")]
pub(crate) enum RejoinWord {
    /// It is rebuilt from another member, when that loses nothing.
    Auto,
    /// An operator is asked.
    Ask,
}
