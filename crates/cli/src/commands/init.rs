//! `xenoncli init`: a configuration for this host's agent.

mod ask;
mod found;

use crate::failure::{Failure, Outcome};
use crate::output::{self, Output, note};
use crate::password::{self, PasswordSource};
use crate::views::Object;
use serde_json::json;
use std::ffi::OsStr;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use xenon_config::{InitOptions, Secret, Vip};

/// Bytes of a cluster's secret; it is written in hexadecimal.
const SECRET_BYTES: usize = 32;

/// What the configuration is to say.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    xenoncli init                        on a terminal: asks, shows the file, and writes it\n  \
    xenoncli -c /etc/xenon/xenon.json init --address 192.168.0.11 --mysqlpwd-file admin.pwd --replpwd-file repl.pwd\n  \
    xenoncli init --address 192.168.0.12 --vip 192.168.0.100/24 --secret-file cluster.secret\n\n\
    It is written to the file named by -c, else by XENON_CONFIG, else to /etc/xenon/xenon.json, readable by its owner\n\
    only. Passwords that no option gives are asked for on a terminal.\n\
    With --output json: {\"ok\":true,\"message\":\u{2026},\"path\":\u{2026},\"warnings\":[\u{2026}]}")]
pub(crate) struct InitArguments {
    /// This host's address or name, as the other nodes reach it; without this it is asked for, on a terminal.
    #[arg(long)]
    address: Option<String>,
    /// Port of the agent.
    #[arg(long, default_value_t = 8801, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Virtual address that follows the primary, such as 192.168.0.100/24.
    #[arg(long)]
    vip: Option<Vip>,
    /// Network interface for it; without this the one that holds --address.
    #[arg(long, value_name = "NAME", requires = "vip")]
    vip_interface: Option<String>,
    /// Account that replicas connect with; the agent makes it.
    #[arg(long, value_name = "USER", default_value = "repl")]
    repluser: String,
    /// Its password, the same on every node. Every user of this host can read it in the list of processes: better one
    /// of the next two.
    #[arg(long, value_name = "PASSWORD", conflicts_with_all = ["replpwd_file", "replpwd_stdin"])]
    replpwd: Option<String>,
    /// A file that holds its password on the first line.
    #[arg(long, value_name = "FILE", conflicts_with = "replpwd_stdin")]
    replpwd_file: Option<PathBuf>,
    /// Read its password from standard input, one line.
    #[arg(long)]
    replpwd_stdin: bool,
    /// Account that the agent works with.
    #[arg(long, value_name = "USER", default_value = "root")]
    mysqluser: String,
    /// Its password. Every user of this host can read it in the list of processes: better one of the next two.
    #[arg(long, value_name = "PASSWORD", conflicts_with_all = ["mysqlpwd_file", "mysqlpwd_stdin"])]
    mysqlpwd: Option<String>,
    /// A file that holds its password on the first line.
    #[arg(long, value_name = "FILE", conflicts_with = "mysqlpwd_stdin")]
    mysqlpwd_file: Option<PathBuf>,
    /// Read its password from standard input, one line; behind that of the replication account when both are read there.
    #[arg(long)]
    mysqlpwd_stdin: bool,
    /// Port of mysqld.
    #[arg(long, default_value_t = 3306, value_parser = clap::value_parser!(u16).range(1..))]
    mysql_port: u16,
    /// Unix socket of mysqld, for the agent to connect through.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// The server's installation: the folder with bin/mysqld or sbin/mysqld.
    #[arg(long, value_name = "FOLDER", default_value = "/usr")]
    basedir: PathBuf,
    /// The server's option file.
    #[arg(long, value_name = "FILE", default_value = "/etc/my.cnf")]
    defaults_file: PathBuf,
    /// The server's data folder; without this the agent asks the server.
    #[arg(long, value_name = "FOLDER")]
    datadir: Option<PathBuf>,
    /// Folder of the agent's own record.
    #[arg(long, value_name = "FOLDER", default_value = "/var/lib/xenon")]
    meta_datadir: PathBuf,
    /// A file that holds the secret which all nodes of the cluster share; without this a new one is made.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Replace a configuration that is there already.
    #[arg(long)]
    force: bool,
    /// A password for replication that was made here.
    #[arg(skip)]
    generated: Option<Secret>,
}

pub(crate) fn run(arguments: InitArguments, config: Option<&Path>, output: Output) -> Outcome {
    let asked = arguments.address.is_none();
    if asked && (!std::io::stdin().is_terminal() || !std::io::stderr().is_terminal()) {
        return Err(Failure::new("no --address is given, and there is no terminal to ask on")
            .cure("xenoncli init --address THIS_HOSTS_ADDRESS --replpwd-file FILE …; all flags: xenoncli init --help")
            .usage());
    }
    let environment = std::env::var_os(xenon_config::ENVIRONMENT);
    let path = target(config, environment.as_deref());
    if !arguments.force && path.symlink_metadata().is_ok() {
        // Before anybody types a password in vain.
        return Err(exists(&path));
    }
    let arguments = if asked { converse(arguments)? } else { arguments };
    let is_new_cluster = arguments.secret_file.is_none();
    let (port, force) = (arguments.port, arguments.force);
    let options = options(arguments)?;
    let text = xenon_config::template(&options);
    let loaded = xenon_config::parse(&text, &path).map_err(|findings| {
        let list: Vec<String> = findings
            .of(xenon_config::Severity::Error)
            // Lines of a file that is not there would mislead.
            .map(|finding| format!("\n  {finding}"))
            .collect();
        Failure::new(format!("these values make no configuration:{}", list.concat()))
            .cure("give other values for them: xenoncli init --help")
            .usage()
    })?;
    if asked && !confirmed(&options, &path)? {
        return Err(Failure::new("nothing was written"));
    }
    write(&path, &text, force)?;

    let warnings: Vec<String> =
        loaded.warnings.iter().map(|finding| loaded.warnings.line_of(finding)).collect();
    warnings.iter().for_each(|warning| note(warning));
    let message = format!("{} is written, readable by its owner only", path.display());
    match output {
        Output::Table => output::print(&message)?,
        Output::Json => output::json(&Object::new(vec![
            ("ok", json!(true)),
            ("message", json!(message)),
            ("path", json!(path)),
            ("warnings", json!(warnings)),
        ]))?,
    }
    note(&next_steps(&path, port, is_new_cluster));
    Ok(())
}

/// Asks on the terminal for what was left out.
fn converse(arguments: InitArguments) -> Outcome<InitArguments> {
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stderr());
    let mut talk = ask::Talk { from: &mut from, to: &mut to };
    ask::fill(arguments, &found::look(), &mut talk, new_secret)
}

/// The file is shown before it is written, without its secrets.
fn confirmed(options: &InitOptions, path: &Path) -> Outcome<bool> {
    let hidden =
        |secret: &Secret| if secret.is_empty() { Secret::default() } else { Secret::from("(not shown)") };
    let shown = InitOptions {
        repl_password: hidden(&options.repl_password),
        admin_password: hidden(&options.admin_password),
        secret: hidden(&options.secret),
        ..options.clone()
    };
    note(&format!("\n{}\n", xenon_config::template(&shown)));
    let (mut from, mut to) = (std::io::stdin().lock(), std::io::stderr());
    ask::Talk { from: &mut from, to: &mut to }.yes(&format!("Write this to {}", path.display()), true)
}

/// `-c`, else `XENON_CONFIG`, else where agent and command line look last.
fn target(config: Option<&Path>, environment: Option<&OsStr>) -> PathBuf {
    let named = environment.filter(|path| !path.is_empty()).map(PathBuf::from);
    config.map(Path::to_owned).or(named).unwrap_or_else(|| PathBuf::from(xenon_config::DEFAULT_PATH))
}

fn exists(path: &Path) -> Failure {
    Failure::new(format!("{} is there already, and left as it is", path.display()))
        .cure("name another file with -c FILE, or replace it with --force")
}

fn options(arguments: InitArguments) -> Outcome<InitOptions> {
    let replication = PasswordSource {
        of: format!("replication account {}", arguments.repluser),
        option: "--replpwd",
        argument: arguments.replpwd,
        file: arguments.replpwd_file,
        stdin: arguments.replpwd_stdin,
        may_be_empty: false,
    };
    let admin = PasswordSource {
        of: format!("MySQL account {}", arguments.mysqluser),
        option: "--mysqlpwd",
        argument: arguments.mysqlpwd,
        file: arguments.mysqlpwd_file,
        stdin: arguments.mysqlpwd_stdin,
        may_be_empty: true,
    };
    let secret = match &arguments.secret_file {
        Some(path) => password::from_file(path)?,
        None => new_secret()?,
    };
    Ok(InitOptions {
        address: arguments.address.unwrap_or_default(),
        port: arguments.port,
        vip: arguments.vip,
        vip_interface: arguments.vip_interface,
        repl_user: arguments.repluser,
        repl_password: match arguments.generated {
            Some(made) => made,
            None => replication.read()?,
        },
        admin: arguments.mysqluser,
        admin_password: admin.read()?,
        socket: arguments.socket,
        mysql_port: arguments.mysql_port,
        basedir: arguments.basedir,
        defaults_file: arguments.defaults_file,
        datadir: arguments.datadir,
        secret,
        meta_datadir: arguments.meta_datadir,
    })
}

fn new_secret() -> Outcome<Secret> {
    use std::io::Read;
    let mut bytes = [0; SECRET_BYTES];
    // The kernel's own source: the secret is as long-lived as the cluster.
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Failure::new(format!("no random secret can be made, /dev/urandom: {error}")))?;
    Ok(Secret::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
}

/// All of it or nothing, and never readable by others, not even for a moment.
fn write(path: &Path, text: &str, force: bool) -> Outcome {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Failure::new(format!("{}: {what}: {error}", path.display()))
            .cure("run it as a user who may write there, or name another file with -c FILE")
    };
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|error| failed("its folder cannot be made", &error))?;
    // A new file of this kind has mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".xenon.json.")
        .tempfile_in(folder)
        .map_err(|error| failed("cannot be written", &error))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.as_file().sync_all())
        .map_err(|error| failed("cannot be written", &error))?;
    let placed = if force { file.persist(path) } else { file.persist_noclobber(path) };
    match placed {
        Ok(_) => {}
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => return Err(exists(path)),
        Err(error) => return Err(failed("cannot be put in its place", &error.error)),
    }
    // The name is durable only when the folder is; the file is whole either way.
    let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

fn next_steps(path: &Path, port: u16, is_new_cluster: bool) -> String {
    let path = path.display();
    let others = if is_new_cluster {
        "on every other node: put the text of server.secret from this file into a file that only its owner can read, and\n     \
         run: xenoncli init --address ITS_ADDRESS --secret-file THAT_FILE (the same replication account and password)"
    } else {
        "do the same on every node of the cluster that has no configuration yet"
    };
    format!(
        "\nNext:\n  1. see that it belongs to the user who runs the agent, who is the one who runs mysqld: chown mysql {path}\n  \
         2. {others}\n  \
         3. start the agent on every node: systemctl start xenon, or: xenon -c {path}\n  \
         4. on one node: xenoncli -c {path} cluster add OTHER_ADDRESS:{port},\u{2026}"
    )
}
