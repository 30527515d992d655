//! Text in, checked configuration or every problem out. Reads no file.

use crate::check;
use crate::config::Config;
use crate::finding::{Finding, Findings, Place, Severity};
use crate::node::{Node, Value};
use crate::places::places;
use crate::read::{GivenKeys, read};
use crate::syntax;
use std::path::{Path, PathBuf};

/// The longest text that is read, bytes. Real files have a few thousand.
pub const TEXT_LIMIT_BYTES: usize = 1 << 20;

/// The deepest nesting that is read; a configuration has three.
const DEPTH_LIMIT: usize = 32;

/// A configuration that loaded, with what is to be said about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration; its paths of secrets and certificates are joined to the file's folder.
    pub config: Config,
    /// Warnings and notes, in the order of the lines; no errors.
    pub warnings: Findings,
    /// What the file itself says.
    pub source: Source,
}

/// What a file says itself, in contrast to defaults.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// The file, as it was named.
    pub path: PathBuf,
    pub(crate) given: GivenKeys,
}

impl Source {
    /// The file gives this key (`section.key`) or section itself.
    pub fn gives(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// Where the file gives this key (`section.key`) or section.
    pub fn place(&self, key: &str) -> Option<Place> {
        self.given.get(key)?.key
    }
}

/// Reads and checks a text. `path` is for the findings and for relative paths of secrets and certificates.
///
/// # Errors
/// Everything that keeps the text from being a configuration, together with its warnings and notes; of a text that is
/// no JSON5 at all, the first mistake.
pub fn parse(text: &str, path: &Path) -> Result<Loaded, Findings> {
    let mut findings = Findings::new(path);
    let fail = |mut findings: Findings, finding: Finding| {
        findings.push(finding);
        Err(findings)
    };

    if text.len() > TEXT_LIMIT_BYTES {
        let finding = too_large(text.len() as u64);
        return fail(findings, finding);
    }
    let places = places(text);
    if places.depth > DEPTH_LIMIT {
        let what = format!("brackets nested deeper than {DEPTH_LIMIT}");
        let finding =
            Finding::new(Severity::Error, places.deepest, "", what, "a configuration has three levels");
        return fail(findings, finding);
    }
    let root = match Node::parse(text, &places) {
        Ok(root) => root,
        Err(error) => return fail(findings, syntax::finding(&error, &places)),
    };

    let (mut config, given) = read(&root, &mut findings);
    // Of a text that is no object at all, this is all there is to say.
    if matches!(root.value, Value::Object(_)) {
        check::check(&mut config, &given, &mut findings);
    }
    findings.sort();
    if findings.has_errors() {
        return Err(findings);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let server = &mut config.server;
    for file in [
        &mut server.secret_file,
        &mut server.api_tokens_file,
        &mut server.api_tls_cert,
        &mut server.api_tls_key,
        &mut server.tls_ca,
        &mut server.tls_cert,
        &mut server.tls_key,
    ]
    .into_iter()
    .flatten()
    {
        *file = folder.join(&*file);
    }
    Ok(Loaded { config, warnings: findings, source: Source { path: path.to_owned(), given } })
}

pub(crate) fn too_large(bytes: u64) -> Finding {
    let what = format!("the file has {bytes} bytes, more than {TEXT_LIMIT_BYTES}");
    Finding::new(Severity::Error, None, "", what, "name the right file")
}
