//! SIGINT and SIGTERM, counted; and SIGHUP, for what ends with its terminal.

use crate::error::Kind;
use anyhow::Result;
use tokio::signal::unix::{Signal, SignalKind, signal};
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

    /// The terminal went away. The kernel and the shell may both tell of it: that makes no second signal.
    pub fn hang_up(&self) {
        if self.0.borrow().0 == 0 {
            self.send(Kind::Terminated);
        }
    }
}

impl Signals {
    /// Begins to listen. From now on a signal no longer ends the process by itself. SIGHUP is heard only for what
    /// `ends_with_terminal`, and not where `nohup` has it ignored.
    pub fn listen(ends_with_terminal: bool) -> Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let mut hangup = match ends_with_terminal && !may_ignore(SignalKind::hangup()) {
            true => Some(signal(SignalKind::hangup())?),
            false => None,
        };
        let (tell, signals) = Signals::by_hand();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => tell.send(Kind::Interrupted),
                    _ = terminate.recv() => tell.send(Kind::Terminated),
                    () = next(&mut hangup) => tell.hang_up(),
                }
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

async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process was started with a signal ignored. Listening would end that. Where nobody can be asked, which is
/// without Linux's `/proc`, it may have been.
fn may_ignore(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status");
    status.ok().and_then(|status| ignores(&status, kind)).unwrap_or(true)
}

/// The same from the text of `/proc/self/status`: <https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>
fn ignores(status: &str, kind: SignalKind) -> Option<bool> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_is_told_to_be_gone_twice_makes_no_second_signal() {
        let (tell, signals) = Signals::by_hand();
        tell.hang_up();
        tell.hang_up();
        assert_eq!((signals.count(), signals.last()), (1, Some(Kind::Terminated)));
        tell.send(Kind::Interrupted);
        tell.hang_up();
        assert_eq!((signals.count(), signals.last()), (2, Some(Kind::Interrupted)));
    }

    #[test]
    fn a_signal_that_is_ignored_is_known_by_its_bit() {
        let (hangup, pipe) = (SignalKind::hangup(), SignalKind::pipe());
        let nohup =
            "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        assert_eq!((ignores(nohup, hangup), ignores(nohup, pipe)), (Some(true), Some(true)));
        let usual = nohup.replace("1001", "1000");
        assert_eq!((ignores(&usual, hangup), ignores(&usual, pipe)), (Some(false), Some(true)));
        for other in ["", "SigIgn:", "SigIgn:\tnothing\n"] {
            assert_eq!(ignores(other, hangup), None, "{other:?}");
        }
    }
}
