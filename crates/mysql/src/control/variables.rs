//! The variables that a config names for a primary or a replica (`mysql.master-sysvars`, `mysql.slave-sysvars`).

use std::time::Duration;

use super::Control;
use crate::SqlError;
use crate::link::until;
use crate::literal::quoted;

/// Variables that belong to the agent: a config that set them would break the rule beside them.
pub(crate) const OURS: [(&str, &str); 8] = [
    ("read_only", "who may write is the agent's to decide (L2, F3)"),
    ("super_read_only", "who may write is the agent's to decide (L2, F3)"),
    ("rpl_semi_sync_source_enabled", "the agent switches semi-sync (L4, D2)"),
    ("rpl_semi_sync_replica_enabled", "the agent switches semi-sync (L4)"),
    ("rpl_semi_sync_source_timeout", "a commit must wait for its acknowledgement (D2)"),
    ("rpl_semi_sync_source_wait_for_replica_count", "the agent computes it from the voters (L4)"),
    ("rpl_semi_sync_source_wait_no_replica", "a commit must wait for its acknowledgement (D2)"),
    ("gtid_purged", "elections rest on GTID sets (S3)"),
];

impl Control {
    /// `SET GLOBAL` for each pair, in order; one that fails doesn't stop the others.
    ///
    /// `default` in any case stands for the server's default, numbers are passed as numbers, the rest as text. Names of
    /// older or newer servers are translated. Variables that are the agent's own are refused with the reason.
    pub async fn set_variables(
        &mut self,
        variables: &[(String, String)],
        deadline: Duration,
    ) -> Vec<(String, Result<(), SqlError>)> {
        let until = until(deadline);
        let mut outcomes = Vec::with_capacity(variables.len());
        for (given, value) in variables {
            let what = format!("setting {given}");
            let outcome = match self.assignment(&what, given, value) {
                Ok(sql) => match self.link() {
                    Ok(link) => link.run(&what, sql, until).await,
                    Err(error) => Err(error),
                },
                Err(error) => Err(error),
            };
            outcomes.push((given.clone(), outcome));
        }
        outcomes
    }

    fn assignment(&self, what: &str, given: &str, value: &str) -> Result<String, SqlError> {
        let name = bare_name(given);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.') {
            return Err(SqlError::unsupported(what, "this is not the name of a variable"));
        }
        let dialect = self.dialect()?;
        let name = dialect.variable(name);
        let in_new_words = crate::dialect::semi_sync_in_new_words(&name);
        if let Some((_, why)) = OURS.iter().find(|(ours, _)| *ours == name || *ours == in_new_words) {
            return Err(SqlError::unsupported(what, format!("{why}; remove it from the config")));
        }
        Ok(format!("SET GLOBAL {name} = {}", literal(value)))
    }
}

impl Control {
    /// `offline_mode` (D4). On, it sends away everybody without CONNECTION_ADMIN and lets nobody else in; commits that
    /// wait for an acknowledgement go on waiting.
    pub async fn set_offline(&mut self, on: bool, deadline: Duration) -> Result<(), SqlError> {
        let what = if on { "sending clients away" } else { "letting clients in" };
        let sql = format!("SET GLOBAL offline_mode = {}", u8::from(on));
        self.link()?.run(what, sql, until(deadline)).await
    }
}

/// `@@global.x`, `GLOBAL x` and `x-y` are what people write for `x_y`.
fn bare_name(given: &str) -> &str {
    let name = given.trim();
    let without = |prefix: &str| -> Option<&str> {
        name.get(..prefix.len())
            .filter(|head| head.eq_ignore_ascii_case(prefix))
            .map(|head| &name[head.len()..])
    };
    without("@@global.").or_else(|| without("global ")).unwrap_or(name).trim()
}

/// A value as a literal: `default`, a number, or text (quotes around it are taken off first).
fn literal(value: &str) -> String {
    let value = value.trim();
    if value.eq_ignore_ascii_case("default") {
        return "DEFAULT".to_owned();
    }
    if is_number(value) {
        return value.to_owned();
    }
    let unquoted = ['\'', '"']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)))
        .unwrap_or(value);
    quoted(unquoted)
}

fn is_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    all_digits(whole) && all_digits(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_literals() {
        for (value, expected) in [
            ("default", "DEFAULT"),
            (" DEFAULT ", "DEFAULT"),
            ("1", "1"),
            ("-1", "-1"),
            ("0.75", "0.75"),
            ("ON", "'ON'"),
            ("1G", "'1G'"),
            ("'a b'", "'a b'"),
            ("x'; DROP TABLE t; --", r"'x\'; DROP TABLE t; --'"),
            ("", "''"),
            ("1.", "'1.'"),
            ("--1", "'--1'"),
        ] {
            assert_eq!(literal(value), expected, "{value}");
        }
    }

    #[test]
    fn names_as_people_write_them() {
        for (given, name) in
            [("sync_binlog", "sync_binlog"), ("@@GLOBAL.x", "x"), ("global  x", "x"), (" x ", "x")]
        {
            assert_eq!(bare_name(given), name);
        }
    }
}
