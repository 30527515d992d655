//! Where the programs are: a MySQL server's, and our own.

use anyhow::{Context, Result, anyhow, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the base folder of a MySQL server.
const MYSQL_BASEDIR: &str = "MYSQL_BASEDIR";
/// Names the folder of `xenon` and `xenoncli`.
const XENON_BIN_DIR: &str = "XENON_BIN_DIR";

/// A MySQL server's installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its base folder.
    pub dir: PathBuf,
    /// The server.
    pub mysqld: PathBuf,
    /// Its version, such as `9.7.4`.
    pub version: String,
}

impl Base {
    /// The server in a base folder.
    ///
    /// # Errors
    /// There is no `mysqld` there that runs, or it is not MySQL 8.0 or later.
    pub fn at(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("{} cannot be entered", dir.display()))?;
        let candidates = ["bin/mysqld", "sbin/mysqld", "libexec/mysqld"].map(|path| dir.join(path));
        let mysqld = candidates
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| anyhow!("{} holds no bin/mysqld or sbin/mysqld", dir.display()))?;
        let version = version_of(&mysqld)?;
        Ok(Self { dir, mysqld, version })
    }

    /// The server that `MYSQL_BASEDIR` names, else the one on `PATH`; `None` when there is neither.
    ///
    /// # Errors
    /// `MYSQL_BASEDIR` names something else than a server. What is on `PATH` is passed over when it is of no use.
    pub fn from_environment() -> Result<Option<Self>> {
        if let Some(dir) = std::env::var_os(MYSQL_BASEDIR).filter(|dir| !dir.is_empty()) {
            return Self::at(Path::new(&dir)).map(Some).with_context(|| {
                format!("{MYSQL_BASEDIR} is {}, which is no MySQL server's base folder", dir.display())
            });
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found = std::env::split_paths(&path)
            .map(|folder| folder.join("mysqld"))
            .filter_map(|program| program.canonicalize().ok())
            .filter_map(|program| Some(program.parent()?.parent()?.to_owned()))
            .find_map(|dir| Self::at(&dir).ok());
        Ok(found)
    }

    /// As [`Base::from_environment`], else what the workspace's `scripts/mysql` finds or fetches.
    ///
    /// # Errors
    /// That script fails; its own words are in the error.
    pub fn for_workspace(workspace: &Path) -> Result<Self> {
        if let Some(found) = Self::from_environment()? {
            return Ok(found);
        }
        let script = workspace.join("scripts/mysql");
        let output = Command::new(&script)
            .arg("basedir")
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("{} does not run", script.display()))?;
        if !output.status.success() {
            bail!("{} basedir failed: {}", script.display(), String::from_utf8_lossy(&output.stderr).trim());
        }
        Self::at(Path::new(String::from_utf8_lossy(&output.stdout).trim()))
    }

    /// One of the client programs, such as `mysql` or `mysqladmin`.
    pub fn client(&self, name: &str) -> PathBuf {
        self.dir.join("bin").join(name)
    }
}

fn version_of(mysqld: &Path) -> Result<String> {
    let output = Command::new(mysqld)
        .args(["--no-defaults", "--version"])
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("{} does not run", mysqld.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if text.contains("MariaDB") {
        bail!("{} is MariaDB; MySQL 8.0 or later is needed", mysqld.display());
    }
    let version: String = text
        .split_once("Ver ")
        .map(|(_, rest)| rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect())
        .unwrap_or_default();
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0);
    if major < 8 {
        let said = if text.is_empty() { String::from_utf8_lossy(&output.stderr).into_owned() } else { text };
        bail!(
            "{} is not MySQL 8.0 or later: it says {:?}",
            mysqld.display(),
            said.lines().next().unwrap_or_default()
        );
    }
    Ok(version)
}

/// Our own two programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bins {
    /// The agent.
    pub xenon: PathBuf,
    /// The command line.
    pub xenoncli: PathBuf,
}

impl Bins {
    /// `XENON_BIN_DIR`; else beside the running program; else the nearest folder above it that has them, which is where
    /// cargo puts them for its tests.
    ///
    /// # Errors
    /// They are not there; says where was looked.
    pub fn find() -> Result<Self> {
        if let Some(dir) = std::env::var_os(XENON_BIN_DIR).filter(|dir| !dir.is_empty()) {
            return Self::at(Path::new(&dir)).ok_or_else(|| {
                anyhow!("{XENON_BIN_DIR} is {}, but xenon and xenoncli are not both there", dir.display())
            });
        }
        let exe = std::env::current_exe().context("the path of the running program is not known")?;
        let exe = exe.canonicalize().unwrap_or(exe);
        exe.ancestors().skip(1).take(3).find_map(Self::at).ok_or_else(|| {
            anyhow!(
                "the programs xenon and xenoncli are neither beside {} nor in a folder above it; \
                 build them with `cargo build --bins`, install both in one folder, or set {XENON_BIN_DIR}",
                exe.display()
            )
        })
    }

    fn at(dir: &Path) -> Option<Self> {
        let bins = Self { xenon: dir.join("xenon"), xenoncli: dir.join("xenoncli") };
        (bins.xenon.is_file() && bins.xenoncli.is_file()).then_some(bins)
    }
}
