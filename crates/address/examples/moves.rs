//! Moves an address to and fro between two hosts (network namespaces, as root) and prints what the moves take.
//!
//! `cargo run -p xenon-address --example moves [ROUNDS]`

#[path = "../tests/support.rs"]
mod support;

use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use support::{Host, neighbours};
use xenon_address::{Command, Keeper, Moment, News, Service, Settings};

const LEFT: Duration = Duration::from_secs(60);

fn main() {
    let rounds: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(50);
    let Some((one, other)) = neighbours() else { return };
    for (what, list) in [
        ("IPv4", &["10.9.0.100/24"][..]),
        ("IPv6", &["fd09::100/64"]),
        ("both", &["10.9.0.100/24", "fd09::100/64"]),
    ] {
        let hosts = [keeper(&one, list), keeper(&other, list)];
        let (mut prepared, mut at_once, mut gone) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..rounds {
            let (keeper, news) = &hosts[round % 2];
            if round % 4 < 2 {
                // As in a promotion: asked while the marker waits for its acknowledgement.
                keeper.send(Command::Prepare);
                std::thread::sleep(Duration::from_millis(6));
            } else {
                // Longer ago than an answer counts.
                std::thread::sleep(Duration::from_millis(1100));
            }
            keeper.send(Command::Take { until: Moment::now().after(LEFT) });
            match news.recv() {
                Ok(News::Taken(taken)) if round % 4 < 2 => prepared.push(taken.ms),
                Ok(News::Taken(taken)) => at_once.push(taken.ms),
                other => println!("{other:?}"),
            }
            keeper.send(Command::Drop);
            match news.recv() {
                Ok(News::Dropped { ms, .. }) => gone.push(ms),
                other => println!("{other:?}"),
            }
        }
        row(what, "taken and announced, asked beforehand", prepared);
        row(what, "taken and announced, not asked beforehand", at_once);
        row(what, "given up", gone);
    }
}

fn keeper(host: &Host, list: &[&str]) -> (Keeper, Receiver<News>) {
    let services = list
        .iter()
        .filter_map(|text| {
            let (ip, prefix) = text.split_once('/')?;
            Some(Service { ip: ip.parse().ok()?, prefix: prefix.parse().ok()? })
        })
        .collect();
    let (tell, news) = mpsc::channel();
    let settings = Settings { services, interface: None };
    let started = host.within(|| Keeper::start(settings, move |said| tell.send(said).unwrap_or(())));
    match started {
        Ok(keeper) => (keeper, news),
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(1);
        }
    }
}

fn row(what: &str, name: &str, mut ms: Vec<f64>) {
    ms.sort_by(f64::total_cmp);
    let at = |part: f64| ms.get(((ms.len() - 1) as f64 * part) as usize).copied().unwrap_or(f64::NAN);
    println!(
        "{what:5} {name:42} median {:6.2} ms, 95 % {:6.2} ms, worst {:6.2} ms of {}",
        at(0.5),
        at(0.95),
        at(1.0),
        ms.len()
    );
}
