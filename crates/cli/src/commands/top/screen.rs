//! The terminal while `top` has it: another page, no cursor, keys read as they are pressed; all as before at the end, whatever
//! ends it.

use super::frame::Frame;
use crate::failure::{Failure, Outcome};
use crate::paint::Paint;
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::io::{self, Read, Write};
use tokio::sync::mpsc;

/// What a person may press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Quit,
    Other,
}

pub(super) struct Screen {
    before: Termios,
    keys: mpsc::Receiver<Key>,
    paint: Paint,
}

/// Columns of the terminal on standard output, when it is one.
pub(super) fn width() -> Option<usize> {
    size().map(|(columns, _)| columns)
}

fn size() -> Option<(usize, usize)> {
    let size = termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0 && size.ws_row > 0).then(|| (usize::from(size.ws_col), usize::from(size.ws_row)))
}

impl Screen {
    pub(super) fn begin() -> Outcome<Self> {
        let before = termios::tcgetattr(io::stdin()).map_err(io::Error::from)?;
        let mut raw = before.clone();
        // Ctrl-C stays what it is.
        raw.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        termios::tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(io::Error::from)?;
        let (sender, keys) = mpsc::channel(8);
        // A read from a terminal cannot be given up; this thread ends with the program.
        let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            let mut byte = [0];
            while let Ok(1) = io::stdin().read(&mut byte) {
                let key = if matches!(byte[0], b'q' | b'Q' | 0x1b | 0x04) { Key::Quit } else { Key::Other };
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        });
        // From here on the terminal is put right again by the drop.
        let screen = Self { before, keys, paint: Paint::stdout() };
        reader.map_err(|error| Failure::new(format!("no thread for the keys: {error}")))?;
        write(b"\x1b[?1049h\x1b[?25l")?;
        Ok(screen)
    }

    /// The next key; never, when the terminal gives none any more.
    pub(super) async fn key(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }

    pub(super) fn show(&self, frame: &Frame) -> Outcome {
        let (columns, rows) = size().unwrap_or((80, 24));
        let mut text = String::from("\x1b[H");
        for (place, line) in frame.text(columns, rows.saturating_sub(1), self.paint).iter().enumerate() {
            if place > 0 {
                text.push_str("\r\n");
            }
            text.push_str(line);
            text.push_str("\x1b[K");
        }
        text.push_str("\x1b[J");
        write(text.as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nothing can be done about a terminal that is gone.
        let _ = write(b"\x1b[?25h\x1b[?1049l");
        let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn write(bytes: &[u8]) -> Outcome {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()?;
    Ok(())
}
