//! Secrets stay secret, and files that others can read are told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap in a helper is a failed test")]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use xenon_config::{ClusterSecretSource, Findings, Loaded, SecretNotRead, explain, load, parse};

const GOOD: &str = "f3a9c1d47be8025613fa9d0e84c7b265";

fn file(folder: &Path, name: &str, text: &str, mode: u32) {
    fs::write(folder.join(name), text).unwrap();
    fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
}

fn config(server: &str) -> String {
    format!(
        "{{\n\"server\": {{\"endpoint\": \"h:1\"{server}}},\n\"mysql\": {{\"passwd\": \"my-pass\"}},\n\"replication\": {{\"user\": \"u\", \"passwd\": \"re-pass\"}},\n\"backup\": {{\"ssh-passwd\": \"host-pass\"}}\n}}"
    )
}

/// What load tells, with the folder's name taken out.
fn told(folder: &Path, result: &Result<Loaded, Findings>) -> String {
    let findings = match result {
        Ok(loaded) => &loaded.warnings,
        Err(findings) => findings,
    };
    let lines = findings.to_string().replace(&format!("{}/", folder.display()), "");
    lines
        .lines()
        .filter(|line| !line.contains("backup.ssh-passwd: not used"))
        .map(|line| format!("{line}\n"))
        .collect()
}

#[test]
fn tokens_of_the_api_are_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let token = "0123456789abcdef0123456789abcdef";
    file(
        folder.path(),
        "xenon.json",
        &config(&format!(", \"secret\": \"{GOOD}\", \"api-tokens-file\": \"tokens\"")),
        0o600,
    );
    let load = || load(&folder.path().join("xenon.json"));
    let at = "xenon.json:2:77: server.api-tokens-file: tokens";
    assert_eq!(told(folder.path(), &load()), format!("{at}: no such file; make it, or correct the path\n"));
    file(folder.path(), "tokens", &format!("operate {token} ann\n"), 0o644);
    assert_eq!(
        told(folder.path(), &load()),
        format!(
            "{at}: tokens in a file that everybody on this host can read (mode 0644); chmod 600 tokens\n"
        )
    );
    file(folder.path(), "tokens", &format!("operator {token} ann\n"), 0o600);
    let findings = told(folder.path(), &load());
    assert!(findings.starts_with(&format!("{at}: line 1 begins with no role; write: read")), "{findings}");
    assert!(!findings.contains(token));
    file(folder.path(), "tokens", &format!("operate {token} ann\n"), 0o600);
    let loaded = load().unwrap();
    assert_eq!(loaded.config.api_tokens.len(), 1);
    assert!(!format!("{loaded:?}").contains(token));
}

#[test]
fn no_secret_is_ever_printed() {
    let loaded = parse(&config(&format!(", \"secret\": \"{GOOD}\"")), Path::new("f")).unwrap();
    let printed =
        format!(
            "{loaded:?} {:#?} {} {:?}",
            loaded.config,
            loaded.warnings,
            loaded.config.cluster_secret().unwrap()
        ) + &format!("{:?} {} {}", explain(&loaded), loaded.config.mysql.passwd, xenon_config::schema());
    for secret in [GOOD, "my-pass", "re-pass", "host-pass"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    let bytes = format!("{:?}", GOOD.as_bytes());
    assert!(!printed.contains(&bytes[1..20]));
    // Neither of a wrong one.
    for wrong in ["[\"my-pass\"]", "{\"my-pass\": 1}", "12345678"] {
        let text = format!("{{\"mysql\": {{\"passwd\": {wrong}}}, \"server\": {{\"secret\": {wrong}}}}}");
        let findings = parse(&text, Path::new("f")).unwrap_err().to_string();
        assert!(!findings.contains("my-pass") && !findings.contains("12345678"), "{findings}");
    }
}

#[test]
fn where_the_cluster_secret_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let secret = |server: &str| {
        file(folder.path(), "xenon.json", &config(server), 0o600);
        load(&folder.path().join("xenon.json")).unwrap().config.cluster_secret().unwrap()
    };
    file(folder.path(), "key", &format!("{GOOD}\n"), 0o600);

    let explicit = secret(&format!(", \"secret\": \"{GOOD}\""));
    assert_eq!(
        (explicit.bytes.as_slice(), explicit.source),
        (GOOD.as_bytes(), ClusterSecretSource::Explicit)
    );
    let from_file = secret(", \"secret-file\": \"key\"");
    assert_eq!((from_file.bytes, from_file.source), (explicit.bytes, ClusterSecretSource::File));
    let derived = secret("");
    assert_eq!(derived.bytes, b"xenon replication account\0u\0re-pass");
    assert_eq!(derived.source, ClusterSecretSource::DerivedFromReplicationAccount);
    assert!(derived.warning().is_some_and(|text| text.contains("server.secret")));
    assert_eq!(explicit.source, ClusterSecretSource::Explicit);

    let unread =
        parse(&config(", \"secret-file\": \"key\""), Path::new("f")).unwrap().config.cluster_secret();
    assert_eq!(unread, Err(SecretNotRead));
}

#[test]
fn files_that_others_can_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xenon.json");
    let inline = format!(", \"secret\": \"{GOOD}\"");
    let table = [
        (inline.as_str(), 0o600, ""),
        (
            inline.as_str(),
            0o644,
            "xenon.json:2:31: warning: server.secret: a secret in a file that everybody on this host can read (mode 0644); chmod 600 xenon.json\n",
        ),
        (
            inline.as_str(),
            0o640,
            "xenon.json:2:31: note: server.secret: a secret in a file that its group can read (mode 0640); chmod 600 xenon.json\n",
        ),
        (
            "",
            0o604,
            "xenon.json:3:11: warning: mysql.passwd: a secret in a file that everybody on this host can read (mode 0604); chmod 600 xenon.json\n",
        ),
        (
            "",
            0o620,
            "xenon.json: warning: its group can change it (mode 0620), and the agent runs the commands that stand in it; chmod go-w xenon.json\n",
        ),
        (
            "",
            0o602,
            "xenon.json: warning: everybody on this host can change it (mode 0602), and the agent runs the commands that stand in it; chmod go-w xenon.json\n",
        ),
    ];
    for (server, mode, wanted) in table {
        file(folder.path(), "xenon.json", &config(server), mode);
        let result = load(&path);
        assert!(result.is_ok());
        assert_eq!(told(folder.path(), &result), wanted, "{mode:o} {server}");
    }
    // Nothing secret in it: anybody may read it.
    file(folder.path(), "xenon.json", "{server: {endpoint: 'h:1'}, mysql: {}, replication: {}}", 0o644);
    assert!(!told(folder.path(), &load(&path)).contains("mode"));
}

#[test]
fn the_secrets_own_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("xenon.json");
    file(folder.path(), "xenon.json", &config(", \"secret-file\": \"key\""), 0o600);
    let at = "xenon.json:2:31";
    let result = load(&path);
    assert!(result.is_err());
    assert_eq!(
        told(folder.path(), &result),
        format!("{at}: server.secret-file: key: no such file; make it, or correct the path\n")
    );

    let table = [
        (
            "\n",
            0o600,
            false,
            format!("{at}: server.secret-file: key: is empty; write a random text of 32 characters\n"),
        ),
        (GOOD, 0o600, true, String::new()),
        (
            GOOD,
            0o644,
            true,
            format!(
                "{at}: warning: server.secret-file: key: a file that everybody on this host can read (mode 0644); chmod 600 key\n"
            ),
        ),
        (
            GOOD,
            0o640,
            true,
            format!(
                "{at}: note: server.secret-file: key: a file that its group can read (mode 0640); chmod 600 key\n"
            ),
        ),
        (
            "short",
            0o600,
            true,
            format!(
                "{at}: warning: server.secret-file: is short or monotonous, and whoever sees one connection can try guesses offline; give a random text of 32 characters, like the output of: openssl rand -hex 16\n"
            ),
        ),
    ];
    for (text, mode, loads, wanted) in table {
        file(folder.path(), "key", text, mode);
        let result = load(&path);
        assert_eq!((result.is_ok(), told(folder.path(), &result)), (loads, wanted), "{text:?} {mode:o}");
    }
    fs::remove_file(folder.path().join("key")).unwrap();
    fs::create_dir(folder.path().join("key")).unwrap();
    assert_eq!(
        told(folder.path(), &load(&path)),
        format!("{at}: server.secret-file: key: is a folder; name the file\n")
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let tell = |name: &str| told(folder.path(), &load(&at(name)));

    assert_eq!(
        tell("absent.json"),
        "absent.json: no such file; name the file with -c, or make one with xenoncli init\n"
    );
    fs::create_dir(at("d.json")).unwrap();
    assert_eq!(tell("d.json"), "d.json: is a folder; name the file\n");
    assert_eq!(
        load(Path::new("/dev/null")).unwrap_err().to_string(),
        "/dev/null: is no regular file; name the file"
    );
    fs::write(at("latin.json"), b"{\n \"log\": \"\xe4\"}").unwrap();
    assert_eq!(tell("latin.json"), "latin.json:2:10: not UTF-8 from here on; save it as UTF-8\n");
    fs::write(at("wide.json"), b"\xff\xfe{\0}\0").unwrap();
    assert_eq!(tell("wide.json"), "wide.json:1:1: not UTF-8 from here on; it is UTF-16: save it as UTF-8\n");
    fs::write(at("large.json"), vec![b' '; (1 << 20) + 5]).unwrap();
    assert_eq!(
        tell("large.json"),
        "large.json: the file has 1048581 bytes, more than 1048576; name the right file\n"
    );
    fs::write(at("file"), "").unwrap();
    assert!(tell("file/x.json").contains("cannot read it: Not a directory"), "{}", tell("file/x.json"));
    // A mark of the byte order is no mistake.
    fs::write(at("bom.json"), "\u{feff}{}").unwrap();
    assert!(load(&at("bom.json")).is_ok());
}
