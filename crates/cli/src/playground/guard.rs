//! The process that stays when the one that started a playground is killed.

use crate::failure::Outcome;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use xenon_testkit::State;

/// A process whose end is seen has ended completely within this.
const GONE: Duration = Duration::from_secs(5);

/// Waits for the end of standard input, which the owner holds open, then ends what it has left.
pub(super) fn run(folder: &Path) -> Outcome {
    let mut nothing = [0_u8; 64];
    let mut line = std::io::stdin().lock();
    // An error is an end, too.
    while line.read(&mut nothing).is_ok_and(|length| length > 0) {}
    let Some(state) = State::read(folder)? else { return Ok(()) };
    if state.owner.is_some_and(|owner| !owner.wait_dead(GONE)) {
        return Ok(());
    }
    Ok(state.end_abandoned(folder)?)
}
