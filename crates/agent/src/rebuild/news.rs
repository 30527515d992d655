//! What workers report, and what follows from it.

use super::What;
use super::check::{self, Checked};
use super::job::{self, News};
use crate::agent::Agent;
use crate::telling::Learnt;
use std::time::Duration;
use tokio::time::Instant;
use xenon_api::{EventKind, Reply, Response};
use xenon_plan::rebuild::{Ended, Phase};

impl Agent {
    /// A worker has something to say.
    pub(crate) async fn on_rebuild_news(&mut self, news: News) {
        let Some(job) =
            self.rebuild.job.as_mut().filter(|job| job.work.as_ref().is_some_and(|w| w.id == news.work))
        else {
            return;
        };
        if let What::Told(told) = news.what {
            if let Some(line) = job.told(told) {
                self.events.push(EventKind::Job, line);
            }
            return;
        }
        job.work = None;
        match news.what {
            What::Told(_) => {}
            What::Noted(Ok(())) => {}
            What::Noted(Err(why)) => {
                let why = format!("the journal of the rebuild cannot be written: {why}");
                self.on_unwritten(&why);
            }
            What::Checked(result) => self.on_checked(*result),
            What::Copied(Ok(())) => {
                self.enter(Phase::Verify, "S10  the copy is there: is it whole, whose is it?".to_owned());
            }
            What::Verified(Ok(places)) => {
                job.places = places;
                job.journal.copied = true;
                job.journal.holes = self.core.record().doubt.as_ref().is_some_and(|doubt| doubt.holes);
                let errant = self.core.record().errant.clone();
                if let Some(job) = &mut self.rebuild.job {
                    job.journal.errant = errant;
                }
                self.enter(Phase::Stop, "S4-S7  the copy is whole; this node's own mysqld is ended, and this node votes from its files meanwhile".to_owned());
            }
            What::MayStop(Ok(())) => job.may_stop = true,
            What::MayStop(Err(why)) => {
                // The copy is whole, and keeps; the node goes on as it is meanwhile.
                let why = format!(
                    "the copy is whole, and this node's own data is kept until the others are well: {why}"
                );
                job.again = Some(Instant::now() + Duration::from_secs(2));
                if job.journal.last_error != why {
                    job.journal.last_error.clone_from(&why);
                    job.line(why.clone());
                    self.events.push(EventKind::Trouble, why);
                }
            }
            What::Swapped(Ok(())) => {
                self.watch.data_is_back();
                self.enter(
                    Phase::Start,
                    "S11  the copy is in place, the old data beside it; mysqld starts".to_owned(),
                );
            }
            What::Settled(Ok(())) => {
                // What the cloned server was said to follow is gone, and the next look must show it.
                self.local.changed = Instant::now();
                self.local.stale = true;
                self.look.notify_one();
                self.enter(Phase::Follow, "S12-S15  mysqld serves with all that the donor had, gtid_purged included; it follows the leader".to_owned());
            }
            What::Settled(Err(why)) => self.enter_put_back(&why),
            What::PutBack(Ok(())) => {
                let why = job.journal.last_error.clone();
                job.journal.put_back = true;
                self.watch.data_is_back();
                self.attempt_failed(&format!("{why}; the old data is in place again"), true);
            }
            What::PutBack(Err(why)) => {
                let why = format!("the old data could not be put back: {why}");
                if let Some(job) = &mut self.rebuild.job {
                    job.again = Some(Instant::now() + Duration::from_secs(5));
                    job.journal.last_error.clone_from(&why);
                    job.line(why.clone());
                }
                self.events.push(EventKind::Trouble, why);
            }
            What::Cleaned(Ok(kept)) => self.on_rebuilt(kept),
            What::Cleaned(Err(why)) => {
                // The node follows: what is left over is room on a disk, no more.
                self.on_rebuilt(Some(format!("the old data could not be removed: {why}")));
            }
            // Half done, perhaps: no server may start on that.
            What::Swapped(Err(why)) => self.enter_put_back(&why),
            What::Copied(Err(why)) | What::Verified(Err(why)) => {
                self.attempt_failed(&why, true);
            }
        }
    }

    /// S1's spirit: what is not noted is not done. Between the swap and the end there is no way back, so it is tried again.
    fn on_unwritten(&mut self, why: &str) {
        let Some(job) = &mut self.rebuild.job else { return };
        why.clone_into(&mut job.journal.last_error);
        if job.journal.phase == Phase::Check || job.journal.ended.is_some() {
            return;
        }
        self.events.push(EventKind::Trouble, why);
        if job.journal.phase <= Phase::Swap {
            // The data folder is as it was: mysqld may start on it again.
            job.journal.ended = Some(Ended::Failed);
            self.end_turn_if_over();
        } else {
            job.again = Some(Instant::now() + Duration::from_secs(1));
        }
    }

    fn on_checked(&mut self, checked: Result<Checked, check::Refused>) {
        let Some(job) = &mut self.rebuild.job else { return };
        match checked {
            Ok(Checked { donor, way, lines }) => {
                job.checks_since = None;
                job.journal.tries += 1;
                job.progress.total = donor.data_bytes;
                job.progress.done = 0;
                let line = format!("S9  copying {} from {}", job::bytes(donor.data_bytes), donor.id);
                job.journal.donor = Some(donor);
                job.journal.way = way;
                for line in lines {
                    self.events.push(EventKind::Job, line.clone());
                    job.line(line);
                }
                if let Some(reply) = job.reply.take() {
                    let message = format!("{line}; look at it with: xenoncli cluster status");
                    let _ = reply.send(Reply::Ok(Response::Done { message }));
                }
                self.enter(Phase::Copy, line);
            }
            Err(refused) => self.on_check_refused(refused),
        }
    }

    fn on_rebuilt(&mut self, kept: Option<String>) {
        let Some(job) = &mut self.rebuild.job else { return };
        job.journal.ended = Some(Ended::Done);
        let took = job.began.elapsed().as_secs_f64();
        let decide = kept.is_some();
        let kept = kept.map(|kept| format!("; {kept}")).unwrap_or_default();
        let verb = if job.journal.backup.is_some() { "restored" } else { "rebuilt" };
        let text = format!("this node is {verb} from {}, in {took:.1} s{kept}", self.donor_name());
        if let Some(job) = &mut self.rebuild.job {
            job.line(text.clone());
        }
        self.events.push(EventKind::Job, text.clone());
        let what = format!("{}: {text}", self.core.id());
        self.tell_leader(Learnt { what, decide, ..Learnt::default() });
        self.end_turn_if_over();
        self.note_journal();
    }
}
