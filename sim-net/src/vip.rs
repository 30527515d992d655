//! In place of the agent's folder of this name: no address moves here, and hooks alone are run.

use std::time::Instant;
use tokio::sync::mpsc;
use xenon_address::{Moment, News, Taken};
use xenon_api::ServiceAddressStatus;
use xenon_config::Config;

use crate::input::Input;

#[derive(Debug)]
#[expect(dead_code, reason = "nothing has news here")]
pub(crate) enum VipNews {
    Keeper(News),
    Guard(std::convert::Infallible),
}

#[derive(Default)]
pub(crate) struct Vip {
    pub(crate) hooked: bool,
    pub(crate) found: Vec<String>,
}

impl Vip {
    pub(crate) fn open(_: &Config, _: bool, _: &mpsc::Sender<Input>) -> Vip {
        Vip::default()
    }

    pub(crate) fn is_native(&self) -> bool {
        false
    }

    pub(crate) fn words(&self) -> String {
        String::new()
    }

    pub(crate) fn is_wanted(&self) -> bool {
        false
    }

    pub(crate) fn prepare(&self) {}

    pub(crate) fn take(&mut self, _: Moment) -> bool {
        false
    }

    pub(crate) fn give_up(&mut self) -> bool {
        false
    }

    pub(crate) fn hold(&mut self, _: Moment) {}

    pub(crate) fn is_stuck(&mut self) -> bool {
        false
    }

    pub(crate) fn note_taken(&mut self, _: &Taken) {}

    pub(crate) fn note_failed(&mut self, _: &str) -> bool {
        false
    }

    pub(crate) fn note_gone(&mut self, _: Option<f64>) {}

    pub(crate) fn note_troubles(&mut self, _: Vec<String>) {}

    pub(crate) fn on_guard(&mut self, news: std::convert::Infallible) -> Option<String> {
        match news {}
    }

    pub(crate) fn tend_guard(&mut self) -> Option<String> {
        None
    }

    pub(crate) fn wake_at(&self) -> Option<Instant> {
        None
    }

    pub(crate) fn troubles(&self) -> std::iter::Empty<String> {
        std::iter::empty()
    }

    pub(crate) fn status(&self) -> Vec<ServiceAddressStatus> {
        Vec::new()
    }
}
