//! Ending one from anywhere.

use super::dir_option;
use crate::failure::{Failure, Outcome};
use crate::output::{self, Output};
use std::path::Path;
use std::time::Duration;
use xenon_testkit::{Signal, State};

/// The process that started it ends it within this, clean stops of servers included.
const ENDS: Duration = Duration::from_secs(100);

pub(super) fn run(folder: &Path, remove: bool, output: Output) -> Outcome {
    let Some(state) = State::read(folder)? else {
        return output::done(
            output,
            "playground",
            &format!("there is no playground in {}", folder.display()),
        );
    };
    if let Some(owner) = state.owner.filter(|owner| owner.is_alive()) {
        owner.signal(Signal::TERM)?;
        if !owner.wait_dead(ENDS) {
            return Err(Failure::new(format!("the playground's own process {} does not end", owner.pid))
                .cure(format!(
                    "kill -9 {}, then xenoncli playground stop{}",
                    owner.pid,
                    dir_option(folder)
                )));
        }
    }
    // What it has left, because it was killed or could not end something.
    if let Some(mut left) = State::read(folder)? {
        if remove {
            left.keep = false;
        }
        left.end_abandoned(folder)?;
    }
    let message = match State::read(folder)? {
        Some(_) => format!("the playground has ended; its data is kept in {}", folder.display()),
        None => "the playground has ended, and its data is removed".to_owned(),
    };
    output::done(output, "playground", &message)
}
