//! SIGINT and SIGTERM, counted.

use crate::error::Kind;
use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// Hears signals from its making on.
#[derive(Debug, Clone)]
pub struct Signals {
    heard: watch::Receiver<(u32, Option<Kind>)>,
}

/// Makes signals be heard.
#[derive(Debug, Clone)]
pub struct Sender(watch::Sender<(u32, Option<Kind>)>);

impl Sender {
    /// A signal of this kind.
    pub fn send(&self, kind: Kind) {
        self.0.send_modify(|(count, last)| {
            *count += 1;
            *last = Some(kind);
        });
    }
}

impl Signals {
    /// Begins to listen. From now on a signal no longer ends the process by itself.
    pub fn listen() -> Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (tell, signals) = Signals::by_hand();
        tokio::spawn(async move {
            loop {
                let kind = tokio::select! {
                    _ = interrupt.recv() => Kind::Interrupted,
                    _ = terminate.recv() => Kind::Terminated,
                };
                tell.send(kind);
            }
        });
        Ok(signals)
    }

    /// What a test sends signals with, and what hears them.
    pub fn by_hand() -> (Sender, Self) {
        let (tell, heard) = watch::channel((0, None));
        (Sender(tell), Signals { heard })
    }

    /// How many signals have been heard so far.
    pub fn count(&self) -> u32 {
        self.heard.borrow().0
    }

    /// Resolves when this many signals have been heard, with the kind of the last one.
    pub async fn heard(&self, wanted: u32) -> Kind {
        let mut heard = self.heard.clone();
        match heard.wait_for(|(count, _)| *count >= wanted).await {
            Ok(state) => state.1.unwrap_or(Kind::Interrupted),
            // Nobody is left who could send one.
            Err(_) => std::future::pending().await,
        }
    }

    /// The kind of the last signal heard so far.
    pub fn last(&self) -> Option<Kind> {
        self.heard.borrow().1
    }
}
