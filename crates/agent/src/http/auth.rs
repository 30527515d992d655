//! Who asks: basic login with the agent's own MySQL account, or a token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use subtle::ConstantTimeEq;
use xenon_config::{ApiRole, Config};

/// Longer logins are none of ours.
const HEADER_MAX_BYTES: usize = 2048;

/// What a login was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// Whose.
    pub(crate) name: String,
    /// What it allows.
    pub(crate) role: ApiRole,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoLogin {
    /// No header, or none of a kind that is known.
    Absent,
    /// One that nobody has: counts as an attempt.
    Wrong,
}

/// Digests of all that is accepted: compared in constant time, they tell neither letters nor lengths.
pub(crate) struct Logins {
    admin: String,
    basic: [u8; 32],
    /// Without a password anybody could log in: then only from this host.
    no_password: bool,
    tokens: Vec<([u8; 32], Login)>,
}

impl Logins {
    pub(crate) fn new(config: &Config) -> Logins {
        let (admin, password) = (&config.mysql.admin, config.mysql.passwd.expose());
        let login = |token: &xenon_config::ApiToken| {
            let login = Login { name: token.name.clone(), role: token.role };
            (digest(token.token.expose().as_bytes()), login)
        };
        Logins {
            admin: admin.clone(),
            basic: digest(format!("{admin}:{password}").as_bytes()),
            no_password: config.mysql.passwd.is_empty(),
            tokens: config.api_tokens.iter().map(login).collect(),
        }
    }

    /// Who sends this header `Authorization` from there.
    pub(crate) fn check(&self, header: Option<&[u8]>, from: IpAddr) -> Result<Login, NoLogin> {
        let header = header.ok_or(NoLogin::Absent)?;
        if header.len() > HEADER_MAX_BYTES {
            return Err(NoLogin::Wrong);
        }
        let at = header.iter().position(|byte| *byte == b' ').ok_or(NoLogin::Absent)?;
        let (scheme, rest) = header.split_at(at);
        let credentials = rest.trim_ascii();
        if scheme.eq_ignore_ascii_case(b"basic") {
            return self.basic(credentials, from).ok_or(NoLogin::Wrong);
        }
        if scheme.eq_ignore_ascii_case(b"bearer") {
            return self.token(credentials).ok_or(NoLogin::Wrong);
        }
        Err(NoLogin::Absent)
    }

    fn basic(&self, credentials: &[u8], from: IpAddr) -> Option<Login> {
        let given = STANDARD.decode(credentials).ok()?;
        let fits = bool::from(digest(&given).ct_eq(&self.basic));
        let allowed = fits && (!self.no_password || from.is_loopback());
        allowed.then(|| Login { name: self.admin.clone(), role: ApiRole::Operate })
    }

    /// All of them are compared, whichever it is.
    fn token(&self, given: &[u8]) -> Option<Login> {
        let given = digest(given);
        let mut found = None;
        for (token, login) in &self.tokens {
            if bool::from(token.ct_eq(&given)) {
                found = Some(login);
            }
        }
        found.cloned()
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xenon_config::{ApiToken, Secret};

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 7));

    fn logins(password: &str) -> Logins {
        let mut config = Config::default();
        config.mysql.passwd = Secret::from(password);
        let token = |role, token: &str, name: &str| ApiToken {
            role,
            token: Secret::from(token),
            name: name.to_owned(),
        };
        config.api_tokens = vec![
            token(ApiRole::Read, "reading-token-0123", "dash"),
            token(ApiRole::Operate, "operating-token-01", "ann"),
        ];
        Logins::new(&config)
    }

    #[test]
    fn logins_and_what_is_none() {
        let logins = logins("pa:ss");
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text)).into_bytes();
        let check = |header: &[u8]| logins.check(Some(header), THERE);
        assert_eq!(check(&basic("root:pa:ss")).unwrap().role, ApiRole::Operate);
        assert_eq!(check(b"bearer  reading-token-0123 ").unwrap().name, "dash");
        assert_eq!(check(b"Bearer operating-token-01").unwrap().role, ApiRole::Operate);
        for wrong in [
            basic("root:pa"),
            basic("root"),
            basic(""),
            basic("Root:pa:ss"),
            b"Basic !!!".to_vec(),
            b"Basic ".to_vec(),
            b"Bearer ".to_vec(),
            b"Bearer reading-token-012".to_vec(),
            [b"Bearer ".as_slice(), &[b'x'; 4000]].concat(),
            b"Basic \xff\xfe".to_vec(),
        ] {
            assert_eq!(check(&wrong), Err(NoLogin::Wrong), "{wrong:?}");
        }
        for absent in [b"".as_slice(), b"Digest x=1", b"Basic", b"\xff"] {
            assert_eq!(check(absent), Err(NoLogin::Absent), "{absent:?}");
        }
        assert_eq!(logins.check(None, HERE), Err(NoLogin::Absent));
    }

    #[test]
    fn an_empty_password_lets_nobody_in_from_elsewhere() {
        let logins = logins("");
        let header = format!("Basic {}", STANDARD.encode("root:"));
        assert_eq!(logins.check(Some(header.as_bytes()), THERE), Err(NoLogin::Wrong));
        assert!(logins.check(Some(header.as_bytes()), HERE).is_ok());
    }
}
