//! The mutants: one rule broken each, and the invariant that must be seen to break.

use crate::cluster::{Change, Cluster, Elections};
use crate::duties::{Duties, Duty};
use crate::finding::Run;
use crate::model::Action;
use crate::runs::alone_with_a_tail;
use std::time::Duration;
use xenon_election::{Rule, Rules, Standing};

/// A search for each mutant.
pub fn mutants() -> Vec<Run> {
    let mut runs = of_elections();
    runs.extend(of_leading());
    runs.extend(of_handing_over());
    runs.extend(of_config_changes());
    runs.extend(of_servers());
    runs
}

/// What a mutant breaks.
enum Broken {
    Rule(Rule),
    Duty(Duty),
}

impl From<Rule> for Broken {
    fn from(rule: Rule) -> Broken {
        Broken::Rule(rule)
    }
}

impl From<Duty> for Broken {
    fn from(duty: Duty) -> Broken {
        Broken::Duty(duty)
    }
}

fn mutant(name: &'static str, broken: impl Into<Broken>, within: Cluster, breaks: &'static str) -> Run {
    let cluster = match broken.into() {
        Broken::Rule(rule) => Cluster { rules: Rules::without(rule), ..within },
        Broken::Duty(duty) => Cluster { duties: Duties::without(duty), ..within },
    };
    Run { name, cluster, breaks: Some(breaks), limit: Duration::from_secs(120) }
}

fn three() -> Cluster {
    Cluster::of_voters(3)
}

fn of_elections() -> Vec<Run> {
    let plain = || three().writes(1);
    let with_idle = three().and(Some(Standing::Idle)).writes(1).only_stands(&[1]);
    vec![
        mutant("S1 sends before it has saved", Duty::SaveFirst, three().restarts(1), "I1"),
        mutant("S3 votes with what power loss left", Rule::WeighDoubt, plain().power_losses(1), "I2"),
        mutant("V2 stands before its receiver stops", Rule::FreezeBeforeStanding, plain(), "I2"),
        mutant("V3 counts votes of another term", Rule::VotesOfThisTerm, three().terms(3), "I1"),
        mutant("V3 votes twice in a term", Rule::OneVoteATerm, plain(), "I1"),
        mutant("V3 votes before its receiver stops", Rule::FreezeBeforeVote, plain(), "I2"),
        mutant("V3 compares no positions", Rule::ComparePositions, plain(), "I2"),
        mutant("V3 spares any receiver", Duty::SpareCandidatesOnly, plain(), "I2"),
        mutant("V4 an unreadable position is empty", Duty::ReadPosition, plain().crashes(1), "I2"),
        mutant("V5 a primary votes and acknowledges", Duty::CloseBeforeReading, plain().slow(), "I2"),
        mutant("V6 an idle member votes", Rule::OnlyVotersVote, with_idle, "I2"),
        mutant("L3 compares data only", Rule::CompareMarkers, three().terms(3), "I2"),
        mutant("L3 compares markers only", Rule::CompareData, plain(), "I2"),
    ]
}

fn of_leading() -> Vec<Run> {
    let four = || Cluster::of_voters(4).writes(1).changes(&[Change::Remove(3)]).only_stands(&[1]);
    let with_idle = three().and(Some(Standing::Idle)).writes(1).only_stands(&[1]);
    let restarted = three().restarts(1).beats(1).once();
    let leased = three().beats(1).elections(Elections::Timed).only_stands(&[1]).once();
    let timed = three().restarts(1).elections(Elections::Timed).only_stands(&[1]).once();
    vec![
        mutant("L4 W falls at once", Rule::LargerW, four(), "I2"),
        mutant("L4 W falls before strays have stopped", Rule::WaitForStrays, four(), "I2"),
        mutant("L4 everybody acknowledges", Rule::OnlyVotersAcknowledge, with_idle, "I2"),
        mutant("T3 resumes without a majority", Rule::MajorityToResume, timed, "I5"),
        mutant("T3 resumes what it has not won", Duty::ResumeAsPrimary, restarted, "I1"),
        mutant("D4 goes on without a majority", Rule::MajorityToResume, leased, "I5"),
    ]
}

fn of_handing_over() -> Vec<Run> {
    let handing_over = || three().writes(1).handovers(1);
    let prepared = || three().writes(1).handover_prepared().once().only_stands(&[1]);
    vec![
        mutant("T1 the target stands too soon", Rule::CatchUpFirst, handing_over(), "T1 set"),
        mutant(
            "T1 the final set is read too soon",
            Duty::CloseBeforeHandingOver,
            handing_over().only_stands(&[1]).once(),
            "T1 set",
        ),
        mutant("T1 given up, and left closed", Rule::OpenAgain, handing_over(), "T1 undone"),
        mutant("T1 elected while its source may write", Rule::SourceVotesFirst, prepared(), "I2"),
        mutant("T1 votes by what it had when closed", Rule::ClosedUntilOpened, prepared(), "I2"),
    ]
}

fn of_config_changes() -> Vec<Run> {
    let remove = || three().changes(&[Change::Remove(2)]);
    let four = Cluster::of_voters(4).beats(2).once().changes(&[Change::Remove(3)]);
    // The second has been away, and commits have not waited for it.
    let degraded = vec![Action::Crash(1), Action::Write(0), Action::Acknowledge(0), Action::Recover(1)];
    let growing = Cluster::of_voters(2).and(None).crashes(1).writes(1).changes(&[Change::Add(2)]);
    let pair = growing.beats(2).once().only_stands(&[1]).after(degraded);
    let two_leave = Change::RemoveBoth(4, 1);
    let acknowledged_by_them = vec![
        Action::Write(0),
        Action::Receive(1),
        Action::Receive(4),
        Action::Acknowledge(0),
        Action::ChangeConfig(0, two_leave),
    ];
    let two_of_five = Cluster::of_voters(5).writes(1).beats(1).once().changes(&[two_leave]);
    let five = two_of_five.terms(1).after(acknowledged_by_them);
    let both = || three().changes(&[Change::RemoveBoth(2, 1)]).beats(2).once();
    vec![
        mutant("V3 votes for an old config", Rule::RefuseOldConfig, remove(), "I7"),
        mutant("C1 two voters leave at once", Rule::OneVoterAtATime, both(), "I7"),
        mutant("C1 changes what has not settled", Rule::SettleFirst, four.terms(1), "C1 settled"),
        mutant("C1 carries nothing over", Rule::CarryOverFirst, five, "C1 carried over"),
        mutant("C5 waits for nobody among three", Rule::LowerOnlyAlone, three().writes(1), "I2"),
        mutant("C5 a third voter comes in too soon", Rule::HardenBeforeThird, pair, "I2"),
        mutant("C2 takes an older config", Rule::NewerConfigsOnly, remove().overtaking(), "I7"),
    ]
}

fn of_servers() -> Vec<Run> {
    let crash = || three().writes(1).crashes(1);
    let rescued = || alone_with_a_tail().terms(3).rescues(1).once();
    // n1 and n3 have the write, n2 does not. n3 leads next, and dies when nobody else has its marker.
    let led_alone = vec![
        Action::Crash(1),
        Action::Write(0),
        Action::Receive(2),
        Action::Acknowledge(0),
        Action::Crash(0),
        Action::StandNow(2),
    ];
    let out_of_order = three().terms(4).writes(1).crashes(3).rescues(1).once().only_stands(&[1, 2]);
    let out_of_order = out_of_order.after_all_of(led_alone).then(vec![Action::Crash(2), Action::Recover(1)]);
    let lost_tail = vec![Action::Write(0), Action::Crash(0), Action::StandNow(1)];
    let reuse =
        three().terms(3).writes(2).crashes(1).only_stands(&[0]).beats(3).once().after_all_of(lost_tail);
    vec![
        mutant("L5 a server is started writable", Duty::StartReadOnly, crash(), "I2"),
        mutant("D2 a deposed server says OK", Duty::KeepSemiSync, three().writes(1), "I2"),
        mutant("W2 counts what is yet to be applied", Rule::ApplyRescued, rescued(), "I2"),
        mutant("W2 applies the end first", Duty::RescueInOrder, out_of_order, "I2"),
        mutant("F2 an errant node follows", Rule::ErrantDoNotFollow, crash(), "F2"),
        mutant("W1 rewinds what the leader has", Duty::RewindWhatLeaderLacks, crash(), "W1"),
        mutant("W1 keeps its server_uuid", Duty::NewServerUuid, reuse, "I4"),
    ]
}
