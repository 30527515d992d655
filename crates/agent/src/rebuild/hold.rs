//! Where a test wants a rebuild to stand still, so that a failure strikes it at a certain phase.
//!
//! Only in builds with debug assertions, and only where the agent's own folder holds a file `rebuild.pause-at` that names
//! the phase. No release build looks for it.

use crate::agent::Agent;

impl Agent {
    pub(super) fn pauses_here(&mut self) -> bool {
        if !cfg!(debug_assertions) {
            return false;
        }
        let file = self.rebuild.file.with_file_name("rebuild.pause-at");
        let Some(job) = &mut self.rebuild.job else { return false };
        let wanted = std::fs::read_to_string(file).unwrap_or_default();
        let here = wanted.split_whitespace().any(|word| word == job.journal.phase.word());
        if here && !job.pause.told {
            let line = format!("a test makes the rebuild wait at \"{}\"", job.journal.phase);
            job.line(line);
        }
        job.pause.told = here;
        here
    }
}
