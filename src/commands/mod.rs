//! One verb, from what was typed to the exit code: settings, clients, the engine, the end.

mod consume;
mod deploy;
mod fleet;
mod logs;
mod processor;
mod produce;
mod reaper;
mod results;
mod smoke;
mod teardown;
mod watch;

pub use reaper::function;

use crate::artifact::Workshop;
use crate::cli::{self, Cli, Verb};
use crate::clock::Clock;
use crate::cloud::{self, Clients};
use crate::demo;
use crate::error::{Error, Kind};
use crate::event::{Done, Event, Reporter};
use crate::local::{LocalCloud, Running};
use crate::report::{Look, Printer, Stdout};
use crate::settings::{Place, Settings, cache_directory, read, value};
use crate::signals::Signals;
use crate::stack::{Conduct, Consent, Context, inspect};
use crate::template;
use anyhow::{Result, ensure};
use std::sync::Arc;

/// Runs what was typed. Returns the exit code.
pub async fn run(cli: Cli) -> u8 {
    let Cli { mut common, verb } = cli;
    // The tour needs no account, so it never touches one.
    common.local |= matches!(verb, Verb::Demo);
    let cli::Common { output, color, quiet, verbose, ci, .. } = common;
    let look = Look::new(output, color, quiet, verbose, ci);
    let (name, stdout, is_of_one) = (verb.name(), stdout_of(&verb), verb.is_of_one_environment());
    let (settings, printer) = match Settings::new(&common) {
        Ok(settings) => {
            let env = if is_of_one { settings.environment.name.as_str() } else { "" };
            let printer = Printer::new(look, name, env, stdout);
            (settings, printer)
        }
        Err(error) => {
            let env = common.env.as_deref().filter(|_| is_of_one).unwrap_or_default();
            let printer = Printer::new(look, name, env, stdout);
            return fail(&printer, &error);
        }
    };
    match go(verb, settings, &printer).await {
        Ok(code) => match printer.lost() {
            None => code,
            Some(cause) => fail(&printer, &incomplete(cause).into()),
        },
        // Whoever reads our output has seen enough.
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => fail(&printer, &error),
    }
}

fn stdout_of(verb: &Verb) -> Stdout {
    match verb {
        Verb::Up(_) | Verb::Down(_) | Verb::Produce(_) | Verb::Extend(_) | Verb::Reap(_) => Stdout::Events,
        Verb::Reaper(cli::Reaper::Up(_) | cli::Reaper::Down(_)) | Verb::Local(cli::Local::Stop) => {
            Stdout::Events
        }
        Verb::Plan(_) | Verb::Status(_) | Verb::List(_) => Stdout::Document,
        Verb::Reaper(cli::Reaper::Status) | Verb::Local(cli::Local::Status) => Stdout::Document,
        // The tour is for people.
        Verb::Consume(_) | Verb::Logs(_) | Verb::Watch(_) | Verb::ProcessorVerb(_) => Stdout::Data,
        Verb::Smoke(_) | Verb::Init(_) => Stdout::Events,
        Verb::Results(cli::Results { verb: Some(_), .. }) => Stdout::Events,
        Verb::Results(_) | Verb::Render(_) | Verb::Local(cli::Local::Logs) | Verb::Demo => Stdout::Data,
    }
}

async fn go(verb: Verb, settings: Settings, printer: &Printer) -> Result<u8> {
    let signals = Signals::listen(verb.ends_with_terminal())?;
    let on_tour = matches!(verb, Verb::Demo);
    let session = Session { settings, printer: printer.clone(), signals: signals.clone(), on_tour };
    // The first signal is heard by whatever is at work, which takes back what it began; a second ends everything.
    let kind = tokio::select! {
        result = session.verb(verb) => return result,
        kind = signals.heard(2) => kind,
    };
    Err(Error::new(kind, "interrupted")
        .remedy("Whatever the account was told to do goes on; the same command again picks it up from there.")
        .into())
}

fn fail(printer: &Printer, error: &anyhow::Error) -> u8 {
    let error = Error::of(error);
    printer.failure(&error);
    error.kind.exit_code()
}

fn incomplete(cause: String) -> Error {
    Error::new(Kind::Failed, "it is done, but stdout could not take all of the output")
        .because(cause)
        .remedy("Make room where stdout leads to. Nothing has to be done again.")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

/// One command with its settings.
struct Session {
    settings: Settings,
    printer: Printer,
    signals: Signals,
    /// The tour types the next commands itself.
    on_tour: bool,
}

impl Session {
    async fn verb(&self, verb: Verb) -> Result<u8> {
        match verb {
            Verb::Up(typed) => self.up(&typed).await,
            Verb::Plan(typed) => self.plan(&typed).await,
            Verb::Down(typed) => self.down(&typed).await,
            Verb::Produce(typed) => self.produce(&typed).await,
            Verb::Demo => self.tour().await,
            Verb::Status(typed) => self.unless_told_to_stop(self.status(&typed)).await,
            Verb::List(typed) => self.unless_told_to_stop(self.list(&typed)).await,
            Verb::Extend(typed) => self.extend(&typed).await,
            Verb::Reap(typed) => self.reap(&typed).await,
            Verb::Reaper(typed) => self.reaper(&typed).await,
            Verb::Consume(typed) => self.consume(&typed).await,
            Verb::Results(typed) => self.results(&typed).await,
            Verb::Logs(typed) => self.logs(&typed).await,
            Verb::Smoke(typed) => self.smoke(&typed).await,
            Verb::Watch(typed) => self.watch(&typed).await,
            Verb::Init(cli::Init::Processor(typed)) => self.init_processor(&typed),
            Verb::ProcessorVerb(cli::ProcessorVerb::Test(typed)) => {
                self.unless_told_to_stop(self.processor_test(&typed)).await
            }
            Verb::Render(typed) => {
                let shape = self.settings.shape(&typed.shape)?;
                self.printer.text(&template::render(&self.settings.environment, &shape)?)?;
                Ok(0)
            }
            Verb::Local(what) => self.unless_told_to_stop(self.local(what)).await,
        }
    }

    /// For work that has nothing to take back.
    async fn unless_told_to_stop<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            result = work => result,
            kind = self.signals.heard(1) => Err(Error::new(kind, "interrupted").into()),
        }
    }

    /// Every verb of the tour, said before it runs.
    async fn tour(&self) -> Result<u8> {
        let reporter = self.printer.reporter();
        for line in demo::TOUR {
            reporter.tell(&Event::Command { line: self.settings.invocation.command(line) });
            let code = Box::pin(self.verb(demo::parse(line)?)).await?;
            ensure!(code == 0, "the tour ended with exit code {code}");
        }
        reporter.tell(&Event::DemoEnded { command: self.settings.invocation.command("down --yes") });
        Ok(0)
    }

    async fn local(&self, what: cli::Local) -> Result<u8> {
        let local = LocalCloud::new(cache_directory()?);
        match what {
            cli::Local::Status => self.printer.local(&local.status().await)?,
            cli::Local::Stop => {
                let stopped = local.stop(self.printer.reporter().as_ref()).await?;
                return self.done(Done {
                    command: "local stop".to_owned(),
                    changed: Some(stopped),
                    ..Done::default()
                });
            }
            cli::Local::Logs => match std::fs::read_to_string(local.log_path()) {
                Ok(text) => self.printer.text(&text)?,
                Err(error) => {
                    return Err(Error::new(Kind::NoSuchEnvironment, "the local cloud has no log yet")
                        .because(error.to_string())
                        .remedy("It starts with the first `kinesis-stack up --local`.")
                        .into());
                }
            },
        }
        Ok(0)
    }

    fn done(&self, done: Done) -> Result<u8> {
        self.printer.reporter().tell(&Event::Done(Box::new(done)));
        Ok(0)
    }

    fn workshop(&self, typed: &cli::Processor, shape: &template::Shape) -> Result<Workshop> {
        let workshop = Workshop {
            cache: cache_directory()?,
            source: self.settings.processor(typed),
            architecture: shape.architecture,
        };
        workshop.check()?;
        Ok(workshop)
    }

    /// The way to the account, the local cloud being started where it is meant.
    async fn ensure(&self) -> Result<(Context, Option<Running>)> {
        let cloud = match &self.settings.place {
            Place::Aws { .. } => None,
            Place::Local { region } => {
                let local = LocalCloud::new(cache_directory()?);
                let running = local.ensure(self.printer.reporter().as_ref()).await?;
                local.note_region(region)?;
                Some(running)
            }
        };
        Ok((self.context(cloud.as_ref()).await?, cloud))
    }

    /// The way to the account; `None` where the local cloud is meant and doesn't run.
    async fn find(&self) -> Result<Option<(Context, Option<Running>)>> {
        self.find_telling(self.printer.reporter()).await
    }

    /// The same for whoever reports otherwise.
    async fn find_telling(&self, reporter: Arc<dyn Reporter>) -> Result<Option<(Context, Option<Running>)>> {
        let cloud = match &self.settings.place {
            Place::Aws { .. } => None,
            Place::Local { .. } => match LocalCloud::new(cache_directory()?).find().await? {
                Some(running) => Some(running),
                None => return Ok(None),
            },
        };
        Ok(Some((self.context_telling(cloud.as_ref(), reporter).await?, cloud)))
    }

    /// The way to the account, for what needs an environment that is there.
    async fn require(&self) -> Result<(Context, Option<Running>)> {
        self.require_telling(self.printer.reporter()).await
    }

    /// The same for whoever reports otherwise.
    async fn require_telling(&self, reporter: Arc<dyn Reporter>) -> Result<(Context, Option<Running>)> {
        let name = self.settings.environment.name.as_str();
        let missing = || {
            inspect::no_such_environment(
                name,
                "the local cloud, which is not running",
                &self.settings.invocation,
            )
        };
        self.find_telling(reporter).await?.ok_or_else(|| missing().into())
    }

    async fn context(&self, cloud: Option<&Running>) -> Result<Context> {
        self.context_telling(cloud, self.printer.reporter()).await
    }

    async fn context_telling(&self, cloud: Option<&Running>, reporter: Arc<dyn Reporter>) -> Result<Context> {
        let endpoint = cloud.map(|running| running.endpoint.as_str());
        let configuration = cloud::configuration(&self.settings.place, endpoint).await?;
        Ok(Context {
            environment: self.settings.environment.clone(),
            clients: Clients::new(&configuration, &reporter)?,
            reporter,
            invocation: self.settings.invocation.at(endpoint),
            signals: self.signals.clone(),
            clock: Clock::default(),
        })
    }

    /// Gives the local cloud back after a verb that may have left it without any environment, and passes the
    /// verb's result on. The verb's own failure says more than one of giving back.
    async fn release_unless<T>(
        &self,
        keep: bool,
        result: Result<T>,
        context: &Context,
        cloud: Option<Running>,
    ) -> Result<T> {
        let Some(running) = cloud.filter(|_| !keep) else { return result };
        let local = LocalCloud::new(cache_directory()?);
        let endpoint = running.endpoint.clone();
        let unused = async {
            for region in local.regions().into_iter().chain([context.clients.region.clone()]) {
                let place = Place::Local { region };
                let configuration = cloud::configuration(&place, Some(&endpoint)).await?;
                let clients = Clients::new(&configuration, &context.reporter)?;
                if !crate::stack::fleet::is_empty(&clients).await? {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        let released = local.release(running, unused, context.reporter.as_ref()).await;
        result.and_then(|value| released.map(|_| value))
    }
}

fn conduct(yes: bool, timeout: &str) -> Result<Conduct> {
    Ok(Conduct {
        consent: if yes { Consent::Given } else { Consent::Ask },
        timeout: read("--timeout", timeout, value::positive_duration)?,
    })
}
