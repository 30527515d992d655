//! `xenoncli xenon ping`.

use crate::arguments::XenonCommand;
use crate::failure::Outcome;
use crate::output::{self, Output};
use crate::session::{LOOK, Session, strange};
use std::path::Path;
use xenon_api::{Request, Response};

pub(crate) async fn run(command: XenonCommand, config: Option<&Path>, output: Output) -> Outcome {
    let XenonCommand::Ping = command;
    let session = Session::open(config)?;
    match session.ask(session.local(), Request::Ping, LOOK).await? {
        Response::Pong { id } => output::done(output, session.local(), &format!("pong from {id}")),
        _ => Err(strange(session.local())),
    }
}
