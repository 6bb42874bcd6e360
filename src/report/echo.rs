//! Keys that are pressed while lines move: the terminal would write them among those lines, where nothing takes them
//! away again. So it doesn't echo for as long.

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetpgrp, tcsetattr};
use std::io;
use std::os::fd::AsFd;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether we are who switched it off.
static OFF: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// Switches it off on the terminal that stderr is, where there is one and it is ours.
pub fn off() {
    if OFF.load(Ordering::SeqCst) || !is_ours(io::stderr()) {
        return;
    }
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            on();
            before(panic);
        }));
    });
    if set(io::stderr(), false) {
        OFF.store(true, Ordering::SeqCst);
    }
}

/// Switches it on again where we switched it off. To be called however the process ends.
pub fn on() {
    // Of a job in the background the shell has restored it already, and would stop whoever touches it.
    if OFF.swap(false, Ordering::SeqCst) && is_ours(io::stderr()) {
        set(io::stderr(), true);
    }
}

/// Whether we are in the foreground: a job in the background must not change its terminal.
fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).is_ok_and(|group| group == getpgrp())
}

/// Whether that changed anything.
fn set(terminal: impl AsFd, echo: bool) -> bool {
    let Ok(mut modes) = tcgetattr(&terminal) else { return false };
    if modes.local_modes.contains(LocalModes::ECHO) == echo {
        return false;
    }
    modes.local_modes.set(LocalModes::ECHO, echo);
    tcsetattr(&terminal, OptionalActions::Now, &modes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn echo_goes_off_and_on_and_says_whether_anything_changed() {
        let terminal = File::options().read(true).write(true).open("/dev/ptmx").unwrap();
        assert!(!set(&terminal, true), "it echoes already");
        assert!(set(&terminal, false));
        assert!(!set(&terminal, false));
        assert!(!tcgetattr(&terminal).unwrap().local_modes.contains(LocalModes::ECHO));
        assert!(set(&terminal, true));
    }

    #[test]
    fn what_is_no_terminal_is_left_alone() {
        let file = tempfile::tempfile().unwrap();
        assert!(!is_ours(&file) && !set(&file, false));
    }
}
