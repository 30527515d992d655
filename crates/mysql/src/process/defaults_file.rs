//! What a MySQL option file says of the few things needed before the server runs.

use std::path::{Path, PathBuf};

/// How deep `!include` is followed.
const INCLUDE_DEPTH: u32 = 4;

/// The server's options of one option file, in order; the last of a name wins.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Defaults {
    options: Vec<(String, String)>,
}

impl Defaults {
    /// Reads `path` and what it includes. Blocking.
    pub(crate) fn read(path: &Path) -> std::io::Result<Self> {
        let mut defaults = Self::default();
        let mut in_group = false;
        defaults.add(&std::fs::read_to_string(path)?, &mut in_group, INCLUDE_DEPTH);
        Ok(defaults)
    }

    fn add(&mut self, text: &str, in_group: &mut bool, depth: u32) {
        for line in text.lines().map(str::trim) {
            if let Some(path) = line.strip_prefix("!includedir ") {
                self.add_folder(Path::new(path.trim()), depth);
            } else if let Some(path) = line.strip_prefix("!include ") {
                self.add_file(Path::new(path.trim()), depth);
            } else if let Some(group) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
                *in_group = is_server_group(group.trim());
            } else if *in_group && !line.is_empty() && !line.starts_with(['#', ';']) {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                self.options.push((plain_name(name), plain_value(value)));
            }
        }
    }

    fn add_folder(&mut self, folder: &Path, depth: u32) {
        // A folder that cannot be read is mysqld's to complain about.
        let Ok(entries) = std::fs::read_dir(folder) else { return };
        let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        files.sort();
        for file in files.iter().filter(|file| file.extension().is_some_and(|e| e == "cnf")) {
            self.add_file(file, depth);
        }
    }

    fn add_file(&mut self, file: &Path, depth: u32) {
        let Some(depth) = depth.checked_sub(1) else { return };
        if let Ok(text) = std::fs::read_to_string(file) {
            self.add(&text, &mut false, depth);
        }
    }

    /// With arguments of the command line (`--name=value`) after the file's options.
    pub(crate) fn with_arguments(mut self, arguments: &[String]) -> Self {
        let options = arguments.iter().filter_map(|argument| argument.strip_prefix("--"));
        self.options.extend(options.map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            (plain_name(name), plain_value(value))
        }));
        self
    }

    /// The option is there, with or without a value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(n, _)| n == name)
    }

    /// The option is there and switches off.
    pub(crate) fn is_off(&self, name: &str) -> bool {
        self.value(name).is_some_and(|value| value == "0" || value.eq_ignore_ascii_case("off"))
    }

    /// Value of an option, its name written with underscores.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.options
            .iter()
            .rev()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// The data folder.
    pub(crate) fn data_dir(&self) -> Option<PathBuf> {
        self.value("datadir").map(PathBuf::from)
    }

    /// The error log, when it is a file of its own.
    pub(super) fn error_log(&self) -> Option<PathBuf> {
        let value = self.value("log_error").filter(|value| *value != "stderr")?;
        self.in_data_dir(value)
    }

    /// The server's own file with its process id.
    pub(super) fn pid_file(&self) -> Option<PathBuf> {
        self.in_data_dir(self.value("pid_file")?)
    }

    /// Relative names are below the data folder.
    fn in_data_dir(&self, value: &str) -> Option<PathBuf> {
        let path = Path::new(value);
        if path.is_absolute() { Some(path.to_owned()) } else { Some(self.data_dir()?.join(path)) }
    }

    /// The options of these names, in order, as arguments of a command line.
    pub(crate) fn arguments(&self, names: &[&str]) -> Vec<String> {
        self.options
            .iter()
            .filter(|(name, value)| names.contains(&name.as_str()) && !value.is_empty())
            .map(|(name, value)| format!("--{}={value}", name.replace('_', "-")))
            .collect()
    }

    /// The file itself loads a plugin library of that name.
    pub(super) fn loads(&self, library: &str) -> bool {
        self.options.iter().any(|(name, value)| {
            (name == "plugin_load" || name == "plugin_load_add") && value.contains(library)
        })
    }
}

fn is_server_group(group: &str) -> bool {
    group == "mysqld" || group == "server" || group.starts_with("mysqld-")
}

fn plain_name(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase().replace('-', "_");
    let name = name.strip_prefix("loose_").unwrap_or(&name);
    match name {
        // Also understood by the server.
        "data" => "datadir".to_owned(),
        other => other.to_owned(),
    }
}

fn plain_value(value: &str) -> String {
    let value = value.split(" #").next().unwrap_or_default().trim();
    let unquoted = ['\'', '"']
        .iter()
        .find_map(|quote| value.strip_prefix(*quote).and_then(|rest| rest.strip_suffix(*quote)));
    unquoted.unwrap_or(value).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_servers_groups() {
        let mut defaults = Defaults::default();
        let text = "user = outside\n[client]\nuser=app\n[mysqld]\n# datadir=/no\ndatadir = \"/data/a\" # here\nlog-error=err.log\n\
                    loose-plugin_load_add='semisync_master.so'\nuser=mysql\n[mysqld-8.0]\npid-file=/run/x.pid\n[mysql]\nuser=z";
        defaults.add(text, &mut false, 1);
        assert_eq!(defaults.data_dir(), Some("/data/a".into()));
        assert_eq!(defaults.error_log(), Some("/data/a/err.log".into()));
        assert_eq!(defaults.pid_file(), Some("/run/x.pid".into()));
        assert_eq!(defaults.value("user"), Some("mysql"));
        assert!(defaults.loads("semisync_master") && !defaults.loads("semisync_source"));
    }
}
