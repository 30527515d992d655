//! Connections with a verified certificate, and streams: how many in all, and how many of each certificate, so that one
//! peer gone mad cannot keep the others out.

use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All seats of a server.
#[derive(Debug)]
pub(crate) struct Seats {
    in_all: usize,
    of_each: usize,
    /// By certificate; none is 0, so this grows no larger than `in_all`.
    taken: Mutex<HashMap<Arc<CertificateDer<'static>>, usize>>,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    seats: Arc<Seats>,
    of: Arc<CertificateDer<'static>>,
}

impl Seats {
    pub(crate) fn new(in_all: usize, of_each: usize) -> Arc<Self> {
        Arc::new(Self { in_all, of_each, taken: Mutex::default() })
    }

    /// One for the owner of this certificate, or why there is none.
    pub(crate) fn take(self: &Arc<Self>, of: &Arc<CertificateDer<'static>>) -> Result<Seat, &'static str> {
        let mut taken = self.taken();
        if taken.values().sum::<usize>() >= self.in_all {
            return Err("too many connections");
        }
        if taken.get(of).is_some_and(|own| *own >= self.of_each) {
            return Err("too many connections of one peer");
        }
        *taken.entry(of.clone()).or_default() += 1;
        Ok(Seat { seats: self.clone(), of: of.clone() })
    }

    pub(crate) fn count(&self) -> usize {
        self.taken().values().sum()
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<Arc<CertificateDer<'static>>, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.taken();
        if let Some(own) = taken.get_mut(&self.of) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.of);
            }
        }
    }
}
