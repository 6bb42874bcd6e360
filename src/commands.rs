//! One verb, from what was typed to the exit code: settings, clients, the engine, the end.

use crate::artifact::Workshop;
use crate::cli::{self, Cli, Output, Verb};
use crate::cloud::{self, Clients};
use crate::demo;
use crate::environment::ROWS_PREFIX;
use crate::error::{Error, Kind};
use crate::event::{Done, Event, NextStep};
use crate::local::{LocalCloud, Running};
use crate::report::{Look, Printer, Stdout};
use crate::settings::{Place, Settings, cache_directory, read, read_optional, value};
use crate::signals::Signals;
use crate::stack::plan::Plan;
use crate::stack::status::Known;
use crate::stack::up::Wish;
use crate::stack::{Conduct, Consent, Context, down, drift, fleet, inspect, up};
use crate::template;
use crate::{data, report};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Instant;

/// Runs what was typed. Returns the exit code.
pub async fn run(cli: Cli) -> u8 {
    let Cli { mut common, verb } = cli;
    // The tour needs no account, so it never touches one.
    common.local |= matches!(verb, Verb::Demo);
    let cli::Common { output, color, quiet, verbose, ci, .. } = common;
    let look = Look::new(output, color, quiet, verbose, ci);
    let (name, stdout) = (verb.name(), stdout_of(&verb));
    let (settings, printer) = match Settings::new(&common) {
        Ok(settings) => {
            let printer = Printer::new(look, name, settings.environment.name.as_str(), stdout);
            (settings, printer)
        }
        Err(error) => {
            let printer = Printer::new(look, name, common.env.as_deref().unwrap_or_default(), stdout);
            return fail(&printer, &error);
        }
    };
    match go(verb, settings, &printer).await {
        Ok(code) => code,
        // Whoever reads our output has seen enough.
        Err(error) if is_closed_pipe(&error) => 0,
        Err(error) => fail(&printer, &error),
    }
}

fn stdout_of(verb: &Verb) -> Stdout {
    match verb {
        Verb::Up(_) | Verb::Down(_) | Verb::Produce(_) | Verb::Local(cli::Local::Stop) => Stdout::Events,
        Verb::Plan(_) | Verb::Status(_) | Verb::List | Verb::Local(cli::Local::Status) => Stdout::Document,
        // The tour is for people.
        Verb::Results(_) | Verb::Render(_) | Verb::Local(cli::Local::Logs) | Verb::Demo => Stdout::Data,
    }
}

async fn go(verb: Verb, settings: Settings, printer: &Printer) -> Result<u8> {
    let signals = Signals::listen()?;
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
            Verb::List => self.unless_told_to_stop(self.list()).await,
            Verb::Results(typed) => self.unless_told_to_stop(self.results(&typed)).await,
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

    async fn up(&self, typed: &cli::Up) -> Result<u8> {
        let cli::Up { processor, plan, code_only, dotenv, means, yes, timeout, shape } = typed;
        if *code_only && (*shape != cli::Shape::default() || means.changes_more_than_code()) {
            return Err(Error::new(
                Kind::BadInput,
                "--code-only changes the function's code and nothing else",
            )
            .remedy("Leave the other options out, or leave --code-only out.")
            .into());
        }
        let reviewed = match plan {
            Some(path) => Some(self.unless_told_to_stop(self.reviewed(path)).await?),
            None => None,
        };
        let dotenv = dotenv.as_ref().map(Path::new);
        dotenv.map(report::dotenv::check).transpose()?;
        // A plan brings its own options; what is typed beside it has to be the same, or the plan is another one.
        let means = match &reviewed {
            Some(plan) if *means == cli::Means::default() => plan.means.clone(),
            _ => self.settings.means(means)?,
        };
        let shape = match &reviewed {
            Some(plan) if *shape == cli::Shape::default() => plan.shape.clone(),
            _ => self.settings.shape(shape)?,
        };
        let workshop = self.workshop(processor, &shape)?;
        let conduct = conduct(*yes, timeout)?;
        let wish = Wish { shape: &shape, workshop: &workshop, means: &means, reviewed: reviewed.as_ref() };
        let (context, cloud) = self.unless_told_to_stop(self.ensure()).await?;
        let done = match code_only {
            true => up::code_only(&context, &workshop, conduct).await,
            false => up::up(&context, &wish, conduct).await,
        };
        let done = self.release_unless(done.is_ok(), done, &context, cloud).await?;
        if let Some(path) = dotenv {
            report::dotenv::write(path, &done)?;
        }
        let next = [
            ("produce --records 100", "send 100 trades"),
            ("results --wait 100", "show their rows as soon as they have landed"),
            ("status", "show the environment"),
            ("down", "tear it down"),
        ];
        // What was just protected isn't torn down next.
        let next = next.into_iter().filter(|(verb, _)| *verb != "down" || means.protection != Some(true));
        let next = next.map(|(verb, does)| NextStep {
            command: self.settings.invocation.command(verb),
            does: does.to_owned(),
        });
        self.done(Done { next: if self.on_tour { Vec::new() } else { next.collect() }, ..done })
    }

    /// A plan that was written down, of this environment.
    async fn reviewed(&self, path: &str) -> Result<Plan> {
        let file = Path::new(path).to_owned();
        // A pipe can keep its reader waiting.
        let plan = tokio::task::spawn_blocking(move || Plan::read(&file)).await??;
        let name = self.settings.environment.name.as_str();
        if plan.env == name {
            return Ok(plan);
        }
        let message = format!("{path} is a plan of the environment {}, not of {name}", plan.env);
        Err(Error::new(Kind::BadInput, message)
            .remedy(format!("Add --env {} to the command.", plan.env))
            .into())
    }

    async fn plan(&self, typed: &cli::Plan) -> Result<u8> {
        let shape = self.settings.shape(&typed.shape)?;
        let means = self.settings.means(&typed.means)?;
        let workshop = self.workshop(&typed.processor, &shape)?;
        let wish = Wish { shape: &shape, workshop: &workshop, means: &means, reviewed: None };
        let (context, cloud) = self.unless_told_to_stop(self.ensure()).await?;
        let plan = up::plan(&context, &wish).await;
        let plan = self.release_unless(false, plan, &context, cloud).await?;
        let code = if typed.exit_code { plan.exit_code() } else { 0 };
        match self.printer.plan(&plan) {
            // Whoever reads has seen enough, but the exit code is an answer of its own.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(code),
            printed => printed.map(|()| code).map_err(Into::into),
        }
    }

    async fn status(&self, typed: &cli::Status) -> Result<u8> {
        let shape = self.settings.shape(&cli::Shape::default())?;
        let workshop = self.workshop(&typed.processor, &shape)?;
        let (context, _cloud) = self.require().await?;
        let mut inspection = inspect::inspect(&context, &workshop).await?;
        if typed.drift {
            inspection.drift = Some(drift::detect(&context, &inspection.stack_id, drift::PATIENCE).await?);
        }
        self.printer.status(&inspection)?;
        Ok(0)
    }

    async fn down(&self, typed: &cli::Down) -> Result<u8> {
        let conduct = conduct(typed.yes, &typed.timeout)?;
        let Some((context, cloud)) = self.find().await? else {
            // Without a local cloud there is nothing local: it keeps its state in memory.
            let stack = Some(self.settings.environment.stack());
            return self.done(Done {
                command: "down".to_owned(),
                changed: Some(false),
                stack,
                ..Done::default()
            });
        };
        let done = down::down(&context, conduct).await;
        let done = self.release_unless(done.is_err(), done, &context, cloud).await?;
        self.done(done)
    }

    async fn list(&self) -> Result<u8> {
        let environments = match self.find().await? {
            Some((context, _cloud)) => fleet::list(&context.clients).await?,
            None => Vec::new(),
        };
        self.printer.list(&environments)?;
        Ok(0)
    }

    async fn produce(&self, typed: &cli::Produce) -> Result<u8> {
        let cli::Produce { records, rate, duration, seed } = typed;
        let records = read_optional("--records", records, value::count)?;
        let duration = read_optional("--duration", duration, value::positive_duration)?;
        let rate = read_optional("--rate", rate, value::rate)?;
        let options = data::ProduceOptions {
            records,
            // The workshop's producer sends one record a second.
            rate: rate.or_else(|| records.is_none().then_some(1.0)),
            duration,
            seed: read_optional("--seed", seed, value::seed)?.unwrap_or_else(|| fastrand::u64(..)),
        };
        let began = Instant::now();
        let (context, _cloud) = self.require().await?;
        let stack = inspect::require(&context).await?;
        let stream = inspect::output(&stack, "StreamName")?;
        let stop = async {
            self.signals.heard(1).await;
        };
        let produced =
            data::produce(&context.clients.kinesis, &stream, options, context.reporter.as_ref(), stop)
                .await?;
        self.done(Done {
            command: "produce".to_owned(),
            stack: Some(stack.name),
            stack_id: Some(stack.id),
            produced: Some(produced),
            seconds: Some(began.elapsed().as_secs_f64()),
            ..Done::default()
        })?;
        Ok(self.signals.last().map_or(0, Kind::exit_code))
    }

    async fn results(&self, typed: &cli::Results) -> Result<u8> {
        let cli::Results { format, wait, timeout } = typed;
        let wait = read_optional("--wait", wait, value::count)?;
        let timeout = read("--timeout", timeout, value::positive_duration)?;
        let look = self.printer.look();
        // Rows are data: JSON lines are what both a pipe and `--output json` are for.
        let format = format.unwrap_or(if look.stdout_is_terminal && look.output == Output::Text {
            cli::Format::Table
        } else {
            cli::Format::Jsonl
        });
        let (context, _cloud) = self.require().await?;
        let (stack, identity) = tokio::try_join!(inspect::require(&context), context.clients.identity())?;
        let query = data::ResultsQuery {
            bucket: inspect::output(&stack, "BucketName")?,
            account: identity.account,
            prefix: ROWS_PREFIX.to_owned(),
        };
        let wait = wait.map(|rows| (rows, timeout));
        let read = data::show(&context, &query, format, wait, &mut report::stdout()).await?;
        context.reporter.tell(&Event::RowsRead(read.into()));
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
        let cloud = match &self.settings.place {
            Place::Aws { .. } => None,
            Place::Local { .. } => match LocalCloud::new(cache_directory()?).find().await? {
                Some(running) => Some(running),
                None => return Ok(None),
            },
        };
        Ok(Some((self.context(cloud.as_ref()).await?, cloud)))
    }

    /// The way to the account, for what needs an environment that is there.
    async fn require(&self) -> Result<(Context, Option<Running>)> {
        let name = self.settings.environment.name.as_str();
        let missing = || {
            inspect::no_such_environment(
                name,
                "the local cloud, which is not running",
                &self.settings.invocation,
            )
        };
        self.find().await?.ok_or_else(|| missing().into())
    }

    async fn context(&self, cloud: Option<&Running>) -> Result<Context> {
        let endpoint = cloud.map(|running| running.endpoint.as_str());
        let configuration = cloud::configuration(&self.settings.place, endpoint).await?;
        let reporter = self.printer.reporter();
        Ok(Context {
            environment: self.settings.environment.clone(),
            clients: Clients::new(&configuration, &reporter)?,
            reporter,
            invocation: self.settings.invocation.at(endpoint),
            signals: self.signals.clone(),
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
                let environments = fleet::list(&Clients::new(&configuration, &context.reporter)?).await?;
                // What is no more than a name holds nothing.
                if !environments.iter().all(|it| it.status.is(Known::ReviewInProgress)) {
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
