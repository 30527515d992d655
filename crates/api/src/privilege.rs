//! The privileges that MySQL knows, and how far each reaches.

/// The smallest thing that a privilege can be granted on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    Table,
    Database,
    Server,
}

const ON_TABLES: &[&str] = &[
    "ALTER",
    "CREATE",
    "CREATE VIEW",
    "DELETE",
    "DROP",
    "INDEX",
    "INSERT",
    "REFERENCES",
    "SELECT",
    "SHOW VIEW",
    "TRIGGER",
    "UPDATE",
];

const ON_DATABASES: &[&str] =
    &["ALTER ROUTINE", "CREATE ROUTINE", "CREATE TEMPORARY TABLES", "EVENT", "EXECUTE", "LOCK TABLES"];

/// Static ones first, then the dynamic ones of 8.0 to 9.x.
const ON_SERVERS: &[&str] = &[
    "CREATE ROLE",
    "CREATE TABLESPACE",
    "CREATE USER",
    "DROP ROLE",
    "FILE",
    "PROCESS",
    "RELOAD",
    "REPLICATION CLIENT",
    "REPLICATION SLAVE",
    "SHOW DATABASES",
    "SHUTDOWN",
    "SUPER",
    "ALLOW_NONEXISTENT_DEFINER",
    "APPLICATION_PASSWORD_ADMIN",
    "AUDIT_ABORT_EXEMPT",
    "AUDIT_ADMIN",
    "AUTHENTICATION_POLICY_ADMIN",
    "BACKUP_ADMIN",
    "BINLOG_ADMIN",
    "BINLOG_ENCRYPTION_ADMIN",
    "CLONE_ADMIN",
    "CONNECTION_ADMIN",
    "ENCRYPTION_KEY_ADMIN",
    "FIREWALL_ADMIN",
    "FIREWALL_EXEMPT",
    "FIREWALL_USER",
    "FLUSH_OPTIMIZER_COSTS",
    "FLUSH_PRIVILEGES",
    "FLUSH_STATUS",
    "FLUSH_TABLES",
    "FLUSH_USER_RESOURCES",
    "GROUP_REPLICATION_ADMIN",
    "GROUP_REPLICATION_STREAM",
    "INNODB_REDO_LOG_ARCHIVE",
    "INNODB_REDO_LOG_ENABLE",
    "OPTIMIZE_LOCAL_TABLE",
    "PASSWORDLESS_USER_ADMIN",
    "PERSIST_RO_VARIABLES_ADMIN",
    "REPLICATION_APPLIER",
    "REPLICATION_SLAVE_ADMIN",
    "RESOURCE_GROUP_ADMIN",
    "RESOURCE_GROUP_USER",
    "ROLE_ADMIN",
    "SENSITIVE_VARIABLES_OBSERVER",
    "SERVICE_CONNECTION_ADMIN",
    "SESSION_VARIABLES_ADMIN",
    "SET_ANY_DEFINER",
    "SET_USER_ID",
    "SHOW_ROUTINE",
    "SYSTEM_USER",
    "SYSTEM_VARIABLES_ADMIN",
    "TABLE_ENCRYPTION_ADMIN",
    "TELEMETRY_LOG_ADMIN",
    "TRANSACTION_GTID_TAG",
    "XA_RECOVER_ADMIN",
];

/// Checks a list such as `select, Create  Temporary Tables` for rights on `database`.`table` (`*` = all), and gives it in
/// MySQL's words, each once. `ALL` stands alone.
///
/// # Errors
/// What is wrong with it, with the nearest known name.
pub fn check_privileges(list: &str, database: &str, table: &str) -> Result<Vec<String>, String> {
    let reach = match (database, table) {
        ("*", "*") => Reach::Server,
        ("*", _) => return Err(format!("a table, {table:?}, without its database; name it with --database")),
        (_, "*") => Reach::Database,
        _ => Reach::Table,
    };
    let mut privileges: Vec<String> = Vec::new();
    for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        let name = word.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_uppercase();
        let name = if name == "ALL PRIVILEGES" { "ALL".to_owned() } else { name };
        if name != "ALL" {
            let Some(least) = reach_of(&name) else { return Err(unknown(word)) };
            if least > reach {
                let on = if least == Reach::Server {
                    "the whole server (*.*)"
                } else {
                    "a database (--table '*')"
                };
                return Err(format!("{name} can only be granted on {on}"));
            }
        }
        if !privileges.contains(&name) {
            privileges.push(name);
        }
    }
    if privileges.is_empty() {
        return Err("no privilege is named".to_owned());
    }
    if privileges.len() > 1 && privileges.iter().any(|name| name == "ALL") {
        return Err("ALL stands alone: it holds all the others".to_owned());
    }
    Ok(privileges)
}

fn reach_of(name: &str) -> Option<Reach> {
    [(ON_TABLES, Reach::Table), (ON_DATABASES, Reach::Database), (ON_SERVERS, Reach::Server)]
        .into_iter()
        .find_map(|(names, reach)| names.contains(&name).then_some(reach))
}

fn unknown(word: &str) -> String {
    let shown: String = word.chars().filter(|c| !c.is_control()).take(60).collect();
    let upper = word.to_ascii_uppercase();
    let all = [ON_TABLES, ON_DATABASES, ON_SERVERS].concat();
    let near = all.iter().find(|name| name.starts_with(&upper) || upper.starts_with(**name));
    match near {
        Some(near) => format!("{shown:?} is no privilege of MySQL; {near}?"),
        None => format!("{shown:?} is no privilege of MySQL; such are SELECT, INSERT, UPDATE, DELETE, ALL"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_that_are_good_and_bad() {
        assert_eq!(
            check_privileges("select,  insert,SELECT", "app", "*"),
            Ok(vec!["SELECT".into(), "INSERT".into()])
        );
        assert_eq!(
            check_privileges("create  temporary tables", "app", "*"),
            Ok(vec!["CREATE TEMPORARY TABLES".into()])
        );
        assert_eq!(check_privileges("all privileges", "*", "*"), Ok(vec!["ALL".into()]));
        assert_eq!(check_privileges("backup_admin", "*", "*"), Ok(vec!["BACKUP_ADMIN".into()]));
        for (list, database, table, says) in [
            ("", "*", "*", "no privilege"),
            ("SELEC", "*", "*", "SELECT?"),
            ("SELECT ON *.* TO x; DROP TABLE t", "*", "*", "no privilege of MySQL"),
            ("ALL, SELECT", "*", "*", "stands alone"),
            ("SUPER", "app", "*", "whole server"),
            ("EVENT", "app", "t", "a database"),
            ("SELECT", "*", "t", "without its database"),
        ] {
            let error = check_privileges(list, database, table).expect_err(list);
            assert!(error.contains(says), "{list}: {error}");
        }
    }
}
