//! `watch`.

use super::Session;
use crate::cli::{self, Output};
use crate::data::watch::{self, Board, Observation, Snapshots, Subject, Targets};
use crate::error::{Error, Kind};
use crate::report::ToStdout;
use crate::report::dashboard::{Action, Dashboard, Muted, View, keys};
use crate::settings::{read, value};
use crate::stack::{Context, inspect, state};
use anyhow::Result;
use ratatui::crossterm::event::Event as Pressed;
use std::io::Write;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

/// Ages are told in seconds, so the board is drawn anew each second.
const REDRAW: Duration = Duration::from_secs(1);
/// How often the stack's state is asked for, which costs nothing.
const STATUS_EVERY: Duration = Duration::from_secs(10);

impl Session {
    pub(super) async fn watch(&self, typed: &cli::Watch) -> Result<u8> {
        let cli::Watch { every } = typed;
        let every = read("--every", every, value::positive_duration)?;
        let look = self.printer.look();
        if look.output == Output::Text && !look.stdout_is_terminal {
            return Err(self.no_terminal().into());
        }
        // What is told on the way must not be written across the board.
        let (reporter, notes) = Muted::before(self.printer.reporter());
        let (context, _cloud) = self.unless_told_to_stop(self.require_telling(reporter)).await?;
        let asked = async { tokio::try_join!(inspect::require(&context), context.clients.identity()) };
        let (stack, identity) = self.unless_told_to_stop(asked).await?;
        let region = context.clients.region.clone();
        let targets = Targets::new(&context.environment, &stack.outputs, &identity.account, &region);
        let board = Board::new(Subject {
            env: context.environment.name.to_string(),
            region,
            stack: stack.name,
            status: stack.status.name().to_owned(),
            every: every.as_secs(),
        });
        let (sender, told) = unbounded_channel();
        let (tell_status, statuses) = unbounded_channel();
        let asking = ask_status(&context, tell_status);
        let looking = watch::look(&context.clients, &context.clock, &targets, every, sender);
        let shown = async {
            match look.output {
                Output::Text => self.dashboard(&context, board, told, statuses, notes).await,
                Output::Json => snapshots(&context, board, told, statuses, every).await,
            }
        };
        tokio::select! {
            biased;
            ended = shown => ended,
            kind = self.signals.heard(1) => Ok(kind.exit_code()),
            () = looking => Ok(0),
            () = asking => Ok(0),
        }
    }

    /// Draws the board until somebody has seen enough.
    async fn dashboard(
        &self,
        context: &Context,
        mut board: Board,
        mut told: UnboundedReceiver<Observation>,
        mut statuses: UnboundedReceiver<String>,
        mut notes: UnboundedReceiver<String>,
    ) -> Result<u8> {
        let color = self.printer.look().color_stdout;
        let mut dashboard =
            Dashboard::open(color).map_err(|error| self.no_terminal().because(error.to_string()))?;
        let (mut view, mut pressed) = (View::default(), keys());
        let mut redraw = interval(REDRAW);
        redraw.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            dashboard.draw(&board, &view, context.clock.now())?;
            tokio::select! {
                key = pressed.recv() => match key {
                    Some(Pressed::Key(key)) => {
                        match view.press(key, &board, context.clock.now(), dashboard.area()) {
                            Action::None => {}
                            Action::Quit => return Ok(0),
                            Action::Interrupt => return Ok(Kind::Interrupted.exit_code()),
                            Action::Suspend => dashboard.suspend()?,
                        }
                    }
                    Some(_) => {}
                    // The terminal is gone.
                    None => return Ok(0),
                },
                Some(observation) = told.recv() => {
                    board.take(observation);
                    while let Ok(observation) = told.try_recv() {
                        board.take(observation);
                    }
                }
                Some(status) = statuses.recv() => board.subject.status = status,
                Some(note) = notes.recv() => board.note = Some((context.clock.now(), note)),
                _ = redraw.tick() => {}
            }
        }
    }

    fn no_terminal(&self) -> Error {
        let invocation = &self.settings.invocation;
        Error::new(Kind::BadInput, "`watch` draws on a terminal, and stdout is none")
            .remedy(format!(
                "For programs: `{}`, one object a look.",
                invocation.command("watch --output json")
            ))
            .remedy(format!(
                "In a pipe: `{}`, `{}` or `{}`.",
                invocation.command("status"),
                invocation.command("logs --follow"),
                invocation.command("consume --stats")
            ))
    }
}

/// Asks again and again for the stack's state. What can't be asked is asked again: the last one known stays.
async fn ask_status(context: &Context, tell: UnboundedSender<String>) {
    loop {
        sleep(STATUS_EVERY).await;
        let asked =
            timeout(STATUS_EVERY, state::find_ours(&context.clients.cloudformation, &context.environment));
        let status = match asked.await {
            Ok(Ok(Some(stack))) => stack.status.name().to_owned(),
            // A stack that was deleted isn't found by its name any more.
            Ok(Ok(None)) => "DELETE_COMPLETE".to_owned(),
            Ok(Err(_)) | Err(_) => continue,
        };
        if tell.send(status).is_err() {
            return;
        }
    }
}

/// Writes the board as a JSON line each time.
async fn snapshots(
    context: &Context,
    mut board: Board,
    mut told: UnboundedReceiver<Observation>,
    mut statuses: UnboundedReceiver<String>,
    every: Duration,
) -> Result<u8> {
    let mut seen = Snapshots::default();
    watch::begin(&mut board, &mut told, every).await;
    let mut tick = interval(every);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tick.tick() => {
                let snapshot = watch::snapshot(&board, context.clock.now(), &mut seen);
                let mut stdout = ToStdout::new();
                writeln!(stdout, "{snapshot}")?;
                stdout.flush()?;
            }
            Some(observation) = told.recv() => board.take(observation),
            Some(status) = statuses.recv() => board.subject.status = status,
        }
    }
}
