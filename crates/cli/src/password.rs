//! Passwords: from a file, from standard input, or typed without being shown; as an argument only where it has to be.

use crate::failure::{Failure, Outcome};
use crate::output::note;
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::fs::File;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use xenon_config::Secret;

/// The longest password or secret that is read, bytes.
const LIMIT_BYTES: u64 = 4096;

/// Where a password comes from.
#[derive(Debug)]
pub(crate) struct PasswordSource {
    /// Whose it is, for messages.
    pub(crate) of: String,
    /// The option that gives it as an argument; with `-file` and `-stdin` behind it the other two.
    pub(crate) option: &'static str,
    pub(crate) argument: Option<String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) stdin: bool,
    /// No password at all is a password too.
    pub(crate) may_be_empty: bool,
}

impl PasswordSource {
    /// Reads it, and asks on the terminal when nothing gives it.
    pub(crate) fn read(self) -> Outcome<Secret> {
        let (of, option) = (&self.of, self.option);
        let password = if let Some(argument) = self.argument {
            note(&format!(
                "xenoncli: warning: {option}: every user of this host can read arguments in the list of processes, and \
                 the shell keeps them; better: {option}-file or {option}-stdin"
            ));
            Secret::from(argument)
        } else if let Some(path) = &self.file {
            from_file(path)?
        } else if self.stdin {
            line(&mut io::stdin().lock(), "standard input")?
        } else if io::stdin().is_terminal() {
            typed(of)?
        } else if self.may_be_empty {
            Secret::default()
        } else {
            return Err(Failure::new(format!("no password is given for the {of}"))
                .cure(format!("{option}-file FILE, or {option}-stdin, or run it on a terminal to be asked"))
                .usage());
        };
        if password.is_empty() && !self.may_be_empty {
            return Err(Failure::new(format!("the password for the {of} is empty"))
                .cure(format!("give one with {option}-file FILE or {option}-stdin"))
                .usage());
        }
        Ok(password)
    }
}

/// The first line of a file.
pub(crate) fn from_file(path: &Path) -> Outcome<Secret> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| {
        Failure::new(format!("{name}: {error}")).cure("name a file that this user may read")
    })?;
    let secret = line(&mut io::BufReader::new(file), &name)?;
    if secret.is_empty() {
        return Err(Failure::new(format!("{name}: its first line is empty")).cure("write it there"));
    }
    Ok(secret)
}

fn line(source: &mut dyn BufRead, name: &str) -> Outcome<Secret> {
    let mut text = String::new();
    let read = source.take(LIMIT_BYTES + 1).read_line(&mut text);
    read.map_err(|error| Failure::new(format!("{name}: {error}")).cure("give text in UTF-8"))?;
    if text.len() as u64 > LIMIT_BYTES {
        return Err(Failure::new(format!("{name}: its first line has more than {LIMIT_BYTES} bytes"))
            .cure("name the right file"));
    }
    Ok(Secret::from(text.trim_end_matches(['\n', '\r'])))
}

fn typed(of: &str) -> Outcome<Secret> {
    let _quiet = Quiet::begin()?;
    let ask = |question: &str| -> Outcome<Secret> {
        let mut err = io::stderr();
        write!(err, "{question}: ")?;
        err.flush()?;
        let answer = line(&mut io::stdin().lock(), "the terminal");
        // The end of the line was not shown either.
        writeln!(err)?;
        answer
    };
    let first = ask(&format!("Password of the {of}"))?;
    if ask("The same again")? != first {
        return Err(Failure::new("the two passwords differ").cure("run it again"));
    }
    Ok(first)
}

/// The terminal shows nothing of what is typed until this is dropped.
struct Quiet {
    before: Termios,
}

impl Quiet {
    fn begin() -> Outcome<Self> {
        let before = termios::tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        termios::tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).map_err(io::Error::from)?;
        Ok(Self { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}
