//! `init` as a short conversation: on a terminal, when the flags leave out what only a person can say.

use super::InitArguments;
use super::found::{self, Found};
use crate::failure::{Failure, Outcome};
use std::io::{BufRead, Write};
use std::path::PathBuf;
use xenon_config::{Endpoint, Secret, Vip};

/// So often an answer may be wrong.
const TRIES: usize = 5;
/// The longest answer, bytes.
const LONGEST: u64 = 4096;

/// Questions to one side, answers from the other.
pub(super) struct Talk<'a> {
    pub(super) from: &'a mut dyn BufRead,
    pub(super) to: &'a mut dyn Write,
}

impl Talk<'_> {
    fn say(&mut self, text: &str) -> Outcome {
        writeln!(self.to, "{text}")?;
        Ok(())
    }

    /// An answer that `read` understands; empty stands for `proposed`.
    fn ask<T>(
        &mut self,
        question: &str,
        proposed: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Outcome<T> {
        for _ in 0..TRIES {
            match proposed {
                "" => write!(self.to, "{question}: ")?,
                proposed => write!(self.to, "{question} [{proposed}]: ")?,
            }
            self.to.flush()?;
            let mut line = String::new();
            let count = std::io::Read::take(&mut *self.from, LONGEST).read_line(&mut line)?;
            if count == 0 {
                return Err(Failure::new("the answers ended before the questions; nothing was written"));
            }
            let answer = Some(line.trim()).filter(|line| !line.is_empty()).unwrap_or(proposed);
            match read(answer) {
                Ok(value) => return Ok(value),
                Err(why) => self.say(&format!("  {why}"))?,
            }
        }
        Err(Failure::new("no usable answer; nothing was written")
            .cure("xenoncli init --help names the flags"))
    }

    pub(super) fn yes(&mut self, question: &str, proposed: bool) -> Outcome<bool> {
        self.ask(question, if proposed { "yes" } else { "no" }, |answer| {
            match answer.to_ascii_lowercase().as_str() {
                "y" | "yes" => Ok(true),
                "n" | "no" => Ok(false),
                _ => Err("yes or no".to_owned()),
            }
        })
    }
}

/// Fills in what the flags left out. `new_password` makes one that nobody has to remember.
pub(super) fn fill(
    mut arguments: InitArguments,
    found: &Found,
    talk: &mut Talk<'_>,
    new_password: impl FnOnce() -> Outcome<Secret>,
) -> Outcome<InitArguments> {
    talk.say("A configuration for this host's agent. An empty answer takes what stands in [ ].\n")?;
    let port = arguments.port;
    let address = talk.ask(
        "Address or name of this host, as the other nodes reach it",
        found.address.as_deref().unwrap_or_default(),
        |answer| {
            let text =
                if answer.contains(':') { format!("[{answer}]:{port}") } else { format!("{answer}:{port}") };
            match text.parse::<Endpoint>() {
                Ok(_) => Ok(answer.to_owned()),
                Err(error) => Err(format!("{}; {}", error.what, error.cure)),
            }
        },
    )?;
    arguments.address = Some(address);
    arguments.port = talk.ask("Port of the agent", &port.to_string(), |answer| match answer.parse() {
        Ok(0) | Err(_) => Err("a number from 1 to 65535".to_owned()),
        Ok(port) => Ok(port),
    })?;

    let proposed = found.defaults_file.as_ref().unwrap_or(&arguments.defaults_file).display().to_string();
    arguments.defaults_file = talk.ask("Option file of the MySQL server", &proposed, |answer| {
        let path = PathBuf::from(answer);
        match path.is_absolute() {
            true => Ok(path),
            false => Err("an absolute path, such as /etc/my.cnf".to_owned()),
        }
    })?;
    // What was found belongs to the server of that file; of another one only its own file tells.
    let is_found = found.defaults_file.as_ref().is_none_or(|file| *file == arguments.defaults_file);
    let other = found::of_file(&arguments.defaults_file);
    let server = if is_found { found } else { &other };
    if !arguments.defaults_file.is_file() {
        talk.say("  there is no such file yet: make it before the agent starts")?;
    }
    let proposed = server.datadir.as_ref().map(|path| path.display().to_string());
    arguments.datadir = talk.ask(
        "Its data folder (- leaves it to the server to say)",
        proposed.as_deref().unwrap_or("-"),
        |answer| match answer {
            "-" => Ok(None),
            path if path.starts_with('/') => Ok(Some(PathBuf::from(path))),
            _ => Err("an absolute path, such as /var/lib/mysql".to_owned()),
        },
    )?;
    arguments.socket = arguments.socket.or_else(|| server.socket.clone());
    if let Some(port) = server.port {
        arguments.mysql_port = port;
    }
    if let Some(basedir) = &server.basedir {
        arguments.basedir.clone_from(basedir);
    }
    let proposed = arguments.mysqluser.clone();
    arguments.mysqluser = talk.ask(
        "MySQL account that the agent works with (its password is asked below)",
        &proposed,
        |answer| match answer.is_empty() || answer.chars().count() > 32 {
            true => Err("a name of 1 to 32 characters".to_owned()),
            false => Ok(answer.to_owned()),
        },
    )?;

    if arguments.secret_file.is_none() {
        let first = talk.yes("Is this the first node of a new cluster", true)?;
        if first {
            arguments.generated = Some(new_password()?);
            talk.say("  a secret for the cluster and a password for replication are made; the other nodes need the same")?;
        } else {
            let file =
                talk.ask("File with the cluster's secret (server.secret of the first node)", "", |answer| {
                    let path = PathBuf::from(answer);
                    match path.is_file() {
                        true => Ok(path),
                        false => Err("there is no such file".to_owned()),
                    }
                })?;
            arguments.secret_file = Some(file);
        }
    }
    arguments.vip = talk.ask(
        "Virtual address that follows the primary, such as 192.168.0.100/24 (- for none)",
        "-",
        |answer| match answer {
            "-" => Ok(None),
            answer => answer.parse::<Vip>().map(Some).map_err(|error| error.to_string()),
        },
    )?;
    Ok(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        init: InitArguments,
    }

    fn talked(answers: &str, found: &Found) -> (Outcome<InitArguments>, String) {
        let Line { init } = Line::try_parse_from(["init"]).expect("no flags");
        let (mut from, mut to) = (answers.as_bytes(), Vec::new());
        let mut talk = Talk { from: &mut from, to: &mut to };
        let filled = fill(init, found, &mut talk, || Ok(Secret::from("made")));
        (filled, String::from_utf8(to).expect("text"))
    }

    #[test]
    fn everything_found_and_confirmed() {
        let found = Found {
            address: Some("10.0.0.11".to_owned()),
            defaults_file: Some(PathBuf::from("/etc/my.cnf")),
            datadir: Some(PathBuf::from("/data")),
            socket: Some(PathBuf::from("/run/m.sock")),
            port: Some(3307),
            basedir: Some(PathBuf::from("/opt/mysql")),
        };
        let (filled, said) = talked("\n\n\n\n\n\n\n", &found);
        let filled = filled.expect("filled");
        assert_eq!(filled.address.as_deref(), Some("10.0.0.11"));
        assert_eq!((filled.port, filled.mysql_port), (8801, 3307));
        assert_eq!(filled.datadir, Some(PathBuf::from("/data")));
        assert_eq!(filled.generated, Some(Secret::from("made")));
        assert!(filled.vip.is_none() && !said.contains("made\n"), "{said}");
    }

    #[test]
    fn wrong_answers_are_asked_again_and_an_end_is_one() {
        let answers = "0.0.0.0\n10.0.0.12\n0\n8802\nrelative\n/etc/x.cnf\n-\nadmin\nmaybe\nyes\nnonsense\n10.0.0.100/24\n";
        let (filled, said) = talked(answers, &Found::default());
        let filled = filled.expect("filled");
        assert_eq!((filled.address.as_deref(), filled.port), (Some("10.0.0.12"), 8802));
        assert_eq!(filled.mysqluser, "admin");
        assert!(
            filled.vip.is_some() && said.contains("yes or no") && said.contains("an absolute path"),
            "{said}"
        );
        assert!(talked("", &Found::default()).0.is_err());
        assert!(talked(&"x y\n".repeat(9), &Found::default()).0.is_err());
        let (none, _) = talked("10.0.0.1\n\n\n\n\nno\n/nowhere\n", &Found::default());
        assert!(none.is_err());
    }
}
