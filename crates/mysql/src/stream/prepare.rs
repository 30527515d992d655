//! Applying the copy's own log to it, so that a server can start on it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::child::{Running, Start, option};
use super::{Kit, StreamError, StreamLimits};

/// Between two looks whether it still says something.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The least memory that the tools work with, bytes.
const MEMORY_MIN: u64 = 16 << 20;
/// And the most that makes sense.
const MEMORY_MAX: u64 = 1 << 40;

/// Prepares the copy in `folder` with so much memory, bytes. `mark` is the folder by which [`super::end_marked`] finds the
/// program. Dropping the future ends it.
///
/// # Errors
/// It ends with an error, does not say that it is done, says nothing for [`StreamLimits::prepare_silence`], or takes
/// longer than [`StreamLimits::total`].
pub async fn prepare_copy(
    kit: &Kit,
    folder: &Path,
    mark: &Path,
    memory_bytes: u64,
    limits: StreamLimits,
) -> Result<(), StreamError> {
    let start = Start {
        program: &kit.program,
        arguments: vec![
            // What the copy needs is in its own backup-my.cnf; this host's option files are for other data.
            "--no-defaults".into(),
            "--prepare".into(),
            option("target-dir", folder),
            option("use-memory", memory_bytes.to_string()),
        ],
        stdin: Stdio::null(),
        stdout: Stdio::null(),
        mark,
        hidden: None,
    };
    let mut running = Running::start(kit, start)?;
    let began = Instant::now();
    loop {
        let silent = running.silent_for() >= limits.prepare_silence;
        if silent {
            return Err(running.hangs("has said nothing", limits.prepare_silence));
        }
        if began.elapsed() >= limits.total {
            return Err(running.hangs("has not finished", limits.total));
        }
        tokio::select! {
            // Its end is not missed when the pause comes first: the wait can be begun again.
            _ = running.child.wait() => return running.ended(limits.ends_within, true).await,
            () = sleep(LOOK_EVERY) => {}
        }
    }
}

/// `backup.backup-use-memory`: `2GB`, `512M`, `1073741824`.
///
/// # Errors
/// It is no such size.
pub fn memory_bytes(text: &str) -> Result<u64, StreamError> {
    let wrong = || StreamError::Setting {
        setting: "backup.backup-use-memory",
        why: format!("{text:?} is no size; write 2GB, 512M or a number of bytes"),
    };
    let word = text.trim();
    let digits = word.find(|c: char| !c.is_ascii_digit()).unwrap_or(word.len());
    let (number, unit) = word.split_at(digits);
    let shift = match unit.trim().to_ascii_uppercase().as_str() {
        "" | "B" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        "T" | "TB" | "TIB" => 40,
        _ => return Err(wrong()),
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
    Ok(bytes.clamp(MEMORY_MIN, MEMORY_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("2GB", 2 << 30), ("512m", 512 << 20), (" 1073741824 ", 1 << 30), ("1", 16 << 20)]
        {
            assert_eq!(memory_bytes(text).expect(text), bytes);
        }
        for text in ["", "GB", "-1", "1.5G", "99999999999999999999", "18446744073709551615T"] {
            assert!(memory_bytes(text).is_err(), "{text}");
        }
    }
}
