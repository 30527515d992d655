//! `xenoncli init`: a configuration for this host's agent.

use crate::failure::{Failure, Outcome};
use crate::output::Output;

/// What the configuration is to say.
#[derive(Debug, clap::Args)]
pub(crate) struct InitArguments {}

pub(crate) fn run(_options: InitArguments, _output: Output) -> Outcome {
    Err(Failure::new("not written yet"))
}
