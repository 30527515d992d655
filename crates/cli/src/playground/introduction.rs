//! What a person sees first: the cluster, how to connect, and what to try.

use super::{dir_option, quoted};
use crate::commands::status_table;
use crate::session::{Answer, Session};
use std::path::Path;
use xenon_testkit::{Base, Bins, Node};

/// The status table and what to try with these nodes.
pub(super) async fn text(
    folder: &Path,
    base: &Base,
    bins: &Bins,
    nodes: &[Node],
    session: &Session,
) -> String {
    let answers = session.cluster().await;
    format!("{}\n\n{}", status_table(&answers), hints(folder, base, bins, nodes, &answers))
}

fn hints(folder: &Path, base: &Base, bins: &Bins, nodes: &[Node], answers: &[Answer]) -> String {
    let state = |node: &Node| answers.iter().find(|answer| answer.id == node.endpoint)?.status();
    let is_primary = |node: &&Node| state(node).is_some_and(|status| status.mysql.writable);
    let Some(primary) = nodes.iter().find(is_primary).or(nodes.first()) else { return String::new() };
    let mut others = nodes.iter().filter(|node| node.name != primary.name);
    let (next, last) = (others.next().unwrap_or(primary), others.next_back().unwrap_or(primary));
    let pid =
        |process: Option<xenon_testkit::Process>| process.map_or("PID".to_owned(), |p| p.pid.to_string());
    let (cli, xenon, mysql) = (quoted(&bins.xenoncli), quoted(&bins.xenon), quoted(&base.client("mysql")));
    let config = |node: &Node| quoted(&node.config());
    format!(
        "\
{primary_name} is the primary. In another terminal:

  Write to it as an application, or look around as the administrator:
    {mysql} --defaults-file={app} app
    {mysql} --defaults-file={admin}

  Watch all of it in a browser; log in with the user and the password of {admin}:
    http://{http}/

  1. Kill its server. A replica takes over; the killed one is started again and follows.
    kill -9 {mysqld}

  2. Hand over to {next_name}. No client loses a row.
    {cli} -c {next_config} raft trytoleader

  3. Stop the agent of {last_name}: its server goes on. Then start it again.
    kill {agent}
    {xenon} -c {last_config} >> {last_log} 2>&1 &

  Look at it, and find the numbers of processes, which change:
    {cli} -c {primary_config} cluster status
    {cli} playground status{dir}

Everything of it is in {folder}; passwords are in files that only you can read.",
        primary_name = primary.name,
        app = quoted(&primary.app_login()),
        admin = quoted(&primary.admin_login()),
        http = primary.http(),
        mysqld = pid(primary.mysqld()),
        next_name = next.name,
        next_config = config(next),
        last_name = last.name,
        agent = pid(last.agent()),
        last_config = config(last),
        last_log = quoted(&last.agent_log()),
        primary_config = config(primary),
        dir = dir_option(folder),
        folder = folder.display(),
    )
}
