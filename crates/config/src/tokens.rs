//! The tokens of the HTTP API: who may read, and who may change something.

use crate::secret::Secret;

/// The shortest token: shorter ones could be guessed by asking.
pub(crate) const TOKEN_MIN_BYTES: usize = 16;
/// More tokens than this are a mistake.
pub(crate) const TOKENS_MAX: usize = 256;

/// What the holder of a login may do over the HTTP API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiRole {
    /// Look.
    Read,
    /// Look, and change something.
    Operate,
}

/// A line of `server.api-tokens-file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// What its holder may do.
    pub role: ApiRole,
    /// The token.
    pub token: Secret,
    /// Whose it is, for the event log; `token` when the file does not say.
    pub name: String,
}

/// Reads the lines `role token [name]`; blank ones and those that begin with `#` say nothing.
///
/// An error is the number of the line, what is wrong, and the cure; it never repeats the line, which holds a secret.
pub(crate) fn parse_tokens(text: &str) -> Result<Vec<ApiToken>, (usize, String, String)> {
    let mut tokens: Vec<ApiToken> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let wrong = |what: &str, cure: &str| Err((number, what.to_owned(), cure.to_owned()));
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.split_whitespace();
        let role = match words.next() {
            Some("read") => ApiRole::Read,
            Some("operate") => ApiRole::Operate,
            _ => return wrong("begins with no role", "write: read TOKEN NAME, or: operate TOKEN NAME"),
        };
        let Some(token) = words.next() else {
            return wrong("has no token", "write: read TOKEN NAME, or: operate TOKEN NAME");
        };
        let name = words.next().unwrap_or("token");
        if words.next().is_some() {
            return wrong("has more than three words", "write a name without spaces");
        }
        let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_plain(token) || token.len() > 256 || name.len() > 64 || name.chars().any(char::is_control) {
            return wrong("holds what a token cannot be made of", "make one with: openssl rand -hex 24");
        }
        if token.len() < TOKEN_MIN_BYTES {
            return wrong("has a token that could be guessed", "make one with: openssl rand -hex 24");
        }
        if tokens.iter().any(|other| other.token.expose() == token) {
            return wrong("repeats a token", "give every line a token of its own");
        }
        if tokens.len() == TOKENS_MAX {
            return wrong("is one token too many", "remove those that nobody uses");
        }
        tokens.push(ApiToken { role, token: Secret::from(token), name: name.to_owned() });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_roles_tokens_and_names() {
        let text =
            "# the dashboard\n\nread 0123456789abcdef0123 dash\n  operate\tfedcba9876543210fedc\nread x\n";
        let (line, what, _) = parse_tokens(text).unwrap_err();
        assert_eq!((line, what.as_str()), (5, "has a token that could be guessed"));
        let tokens = parse_tokens(text.rsplit_once("read").unwrap().0).unwrap();
        let told: Vec<_> = tokens.iter().map(|token| (token.role, token.name.as_str())).collect();
        assert_eq!(told, [(ApiRole::Read, "dash"), (ApiRole::Operate, "token")]);
        for wrong in [
            "admin 0123456789abcdef0123",
            "read",
            "read 0123456789abcdef0123 a b",
            "read 0123456789abcdef012\u{e9}",
            "read 0123456789abcdef0123\noperate 0123456789abcdef0123",
        ] {
            let (_, what, cure) = parse_tokens(wrong).unwrap_err();
            assert!(!format!("{what}{cure}").contains("0123456789"), "{what}; {cure}");
        }
    }
}
