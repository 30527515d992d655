//! Many clients wait for their commits when the primary is deposed. None of them may be told OK for a row that is gone: the
//! Go tool switches semi-sync off at that moment, which tells them so.

use anyhow::Result;
use xenon_testkit::{Fault, Reach, Way};
use xenon_tests::{HEALS, SERVES_AGAIN, at_most, on_hosts};

#[test]
fn of_thirty_clients() -> Result<()> {
    on_hosts(3, async |mut story, leader| {
        story.add_clients(29).await?;
        story.some_more().await?;
        // Acknowledgements do not reach it, clients do: all of them wait for it.
        let struck = story.strike(Fault::Cut(leader, Way::Incoming, Reach::Nodes)).await?;
        at_most(story.taken_over(struck.at, SERVES_AGAIN).await?, SERVES_AGAIN)?;
        // Cut off as it is, it lets no client in any more, and none of those that wait is told anything.
        story.steps_down(leader, HEALS).await?;
        println!("closed {:.2} s after the cut", struck.at.elapsed().as_secs_f64());
        story.some_more().await?;
        story.heal(struck).await?;
        story.steps_down(leader, HEALS).await?;
        story.end_with_returned(leader).await?;
        Ok(())
    })
}
