//! What a person reads when something was refused or failed: what and why, and what to try.

use crate::views::Object;
use serde_json::json;
use std::fmt;
use xenon_api::Refusal;
use xenon_channel::ChannelError;

/// How a command ends.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Something was refused or failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    cure: Option<String>,
    /// What is printed already: a table that could be only half filled.
    shown: bool,
    /// The command line itself is wrong.
    usage: bool,
}

impl Failure {
    /// What, and why.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), cure: None, shown: false, usage: false }
    }

    /// What to try.
    pub(crate) fn cure(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// The answer, such as it is, is on standard output already.
    pub(crate) fn shown(mut self) -> Self {
        self.shown = true;
        self
    }

    /// The command line itself is wrong: exit code 2.
    pub(crate) fn usage(mut self) -> Self {
        self.usage = true;
        self
    }

    pub(crate) fn is_usage(&self) -> bool {
        self.usage
    }

    /// What went wrong, without what to try.
    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// What to try, when there is something.
    pub(crate) fn cure_text(&self) -> Option<&str> {
        self.cure.as_deref()
    }

    /// `{"ok": false, "what": …, "cure": …}`, unless an answer was printed already.
    pub(crate) fn json(&self) -> Option<Object> {
        let cure = self.cure.as_deref().unwrap_or_default();
        let parts = vec![("ok", json!(false)), ("what", json!(self.what)), ("cure", json!(cure))];
        (!self.shown).then(|| Object::new(parts))
    }

    /// An agent said no.
    pub(crate) fn refused(node: &str, refusal: &Refusal) -> Self {
        Self::new(format!("{node} refuses: {}", refusal.what)).cure(refusal.cure.clone())
    }

    /// A call failed.
    pub(crate) fn call(error: &ChannelError) -> Self {
        match error {
            ChannelError::Refused { peer, status: 400, body, .. } => Self::new(format!("{peer}: {body}"))
                .cure("install the same version of xenon and xenoncli on all hosts"),
            // Their words hold what to try behind the first semicolon.
            other => match other.to_string().split_once("; ") {
                Some((what, cure)) => Self::new(what).cure(cure),
                None => Self::new(other.to_string()),
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xenoncli: {}", self.what)?;
        match &self.cure {
            Some(cure) => write!(f, "\n  try: {cure}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::new(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::new(format!("JSON: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_of_another_version() {
        let error = ChannelError::Refused {
            peer: "10.0.0.1:8801".to_owned(),
            path: "/peer/v1/call".to_owned(),
            status: 400,
            body: "this agent speaks version 2 of the calls, the caller 1".to_owned(),
        };
        assert_eq!(
            Failure::call(&error).to_string(),
            "xenoncli: 10.0.0.1:8801: this agent speaks version 2 of the calls, the caller 1\n  \
             try: install the same version of xenon and xenoncli on all hosts"
        );
    }

    #[test]
    fn a_failure_as_json() {
        let failure = Failure::new("it is so").cure("do this");
        let json = failure.json().map(|json| serde_json::to_string(&json).unwrap());
        assert_eq!(json.as_deref(), Some(r#"{"ok":false,"what":"it is so","cure":"do this"}"#));
        assert!(failure.shown().json().is_none(), "standard output holds one object");
    }
}
