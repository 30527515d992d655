//! Generated requests against the HTTP API of a real agent; the tools come from PyPI.

use anyhow::{Result, ensure};
use std::path::Path;
use std::process::Command;
use xenon_testkit::Bins;

#[test]
fn nightly_generated_requests_are_answered_as_described() -> Result<()> {
    let bins = Bins::find()?;
    let folder = bins.xenoncli.parent().unwrap_or(Path::new("."));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/schemathesis");
    let status = Command::new(script).arg("25").env("XENON_BIN_DIR", folder).status()?;
    ensure!(status.success(), "scripts/schemathesis found something; its words are above");
    Ok(())
}
