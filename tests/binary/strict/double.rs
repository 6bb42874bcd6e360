//! A double in front of the local cloud that passes everything on, and refuses what AWS refuses and the local cloud
//! doesn't: to remove a bucket that isn't empty, alone or with its stack. On request it also does what happens to
//! buckets on AWS: something lands late, calls are throttled, and single keys are stumbled over.

use super::rewrite;
use crate::services::clients_at;
use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use kinesis_stack::cloud::{Clients, fault};
use simulated_aws::http;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// What befalls one bucket, each so many times.
#[derive(Debug, Default, Clone)]
pub struct Trouble {
    pub bucket: String,
    /// One more object lands right after the last one was deleted, as a dying delivery stream flushes.
    pub late_after_emptying: u32,
    /// The same at the last moment: the bucket is empty when its removal is asked for.
    pub late_at_removal: u32,
    /// A key that is refused inside a good answer.
    pub refused_keys: u32,
    /// Objects are deleted, and no answer comes, ever.
    pub unanswered_deletions: u32,
    /// Each so manieth call to S3, to whatever bucket, is told to slow down.
    pub slow_down_every: Option<u32>,
}

/// What the double did beyond passing on.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Deeds {
    pub refused_buckets: u32,
    pub refused_stacks: Vec<String>,
    pub late_objects: u32,
    pub refused_keys: u32,
    pub slowed_down: u32,
}

/// Ends with the value.
pub struct Double {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
    unanswered: mpsc::Receiver<()>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    trouble: Trouble,
    deeds: Deeds,
    calls_to_s3: u32,
}

impl Double {
    /// In front of the local cloud that answers there. In a thread of its own, since whoever waits for the binary
    /// blocks.
    pub fn new(upstream: &str, trouble: Trouble) -> Self {
        let state = Arc::new(Mutex::new(State { trouble, ..State::default() }));
        let (end, ended) = oneshot::channel();
        let (address, told) = mpsc::channel();
        let (silence, unanswered) = mpsc::channel();
        let (upstream, served) = (upstream.to_owned(), state.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                address.send(listener.local_addr().unwrap()).unwrap();
                let way = Way {
                    clients: clients_at(&upstream).await,
                    connector: Connector::builder().build_http(),
                    upstream,
                    state: served,
                    silence,
                    turn: tokio::sync::Mutex::new(()),
                };
                tokio::select! {
                    () = serve(Arc::new(way), listener) => {}
                    _ = ended => {}
                }
            });
        });
        let endpoint = format!("http://{}", told.recv().unwrap());
        Double { endpoint, state, unanswered, end: Some(end), thread: Some(thread) }
    }

    /// Waits for a deletion that isn't answered.
    pub fn until_silent(&self) {
        self.unanswered.recv_timeout(Duration::from_secs(300)).expect("nothing was deleted");
    }

    pub fn deeds(&self) -> Deeds {
        now(&self.state).deeds.clone()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        // Whoever has ended by itself has panicked, and said so.
        let _ = self.end.take().map(|end| end.send(()));
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn now(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(way: Arc<Way>, listener: TcpListener) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let way = way.clone();
        // A connection that ends badly ends for its own caller only.
        tokio::spawn(async move { connection(&way, stream).await });
    }
}

async fn connection(way: &Way, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream).await? {
        let is_head = request.method() == "HEAD";
        let answer = way.answer(request).await;
        stream.write_all(&http::written(&answer, is_head)).await?;
    }
    stream.shutdown().await
}

/// The way from a request to its answer.
struct Way {
    upstream: String,
    connector: Connector,
    /// For questions of our own to what is behind.
    clients: Clients,
    state: Arc<Mutex<State>>,
    /// Told when a call is left without an answer.
    silence: mpsc::Sender<()>,
    /// Held by whoever deletes something: between the deletion and the look at what is left nobody else deletes.
    turn: tokio::sync::Mutex<()>,
}

impl Way {
    async fn answer(&self, request: HttpRequest) -> HttpResponse {
        match rewrite::service(&request) {
            "s3" => self.s3(request).await,
            "cloudformation" => match rewrite::deleted_stack(&request) {
                Some(stack) => self.delete_stack(request, &stack).await,
                None => self.pass_on(request).await,
            },
            _ => self.pass_on(request).await,
        }
    }

    async fn s3(&self, request: HttpRequest) -> HttpResponse {
        if self.is_to_slow_down() {
            return rewrite::refusal(503, "SlowDown", "Please reduce your request rate.");
        }
        let (bucket, key) = rewrite::place(&request);
        let query = rewrite::query(&request);
        match request.method() {
            "DELETE" if key.is_empty() && query.is_empty() => self.remove_bucket(request, &bucket).await,
            "DELETE" if !key.is_empty() && !query.contains("uploadId") => self.delete(request, &bucket).await,
            "POST" if key.is_empty() && query.contains("delete") => self.delete(request, &bucket).await,
            _ => self.pass_on(request).await,
        }
    }

    /// Deletes objects; where that was the last one, another lands.
    async fn delete(&self, mut request: HttpRequest, bucket: &str) -> HttpResponse {
        let _turn = self.turn.lock().await;
        let refused = match rewrite::has_several_keys(&request) {
            true if self.is_due(bucket, |trouble| &mut trouble.refused_keys) => {
                rewrite::take_key_out(&mut request)
            }
            _ => None,
        };
        let mut answer = self.pass_on(request).await;
        if self.is_due(bucket, |trouble| &mut trouble.unanswered_deletions) {
            self.silence.send(()).unwrap();
            std::future::pending::<()>().await;
        }
        if let Some(key) = refused {
            rewrite::put_refused_key_in(&mut answer, &key);
            now(&self.state).deeds.refused_keys += 1;
        }
        if self.is_empty(bucket).await && self.is_due(bucket, |trouble| &mut trouble.late_after_emptying) {
            self.land(bucket).await;
        }
        answer
    }

    /// Fact: a bucket that holds a version or a delete marker isn't removed.
    async fn remove_bucket(&self, request: HttpRequest, bucket: &str) -> HttpResponse {
        let _turn = self.turn.lock().await;
        if self.is_empty(bucket).await && self.is_due(bucket, |trouble| &mut trouble.late_at_removal) {
            self.land(bucket).await;
        }
        if self.is_empty(bucket).await {
            return self.pass_on(request).await;
        }
        now(&self.state).deeds.refused_buckets += 1;
        rewrite::refusal(409, "BucketNotEmpty", "The bucket you tried to delete is not empty")
    }

    /// Fact: CloudFormation can't delete a bucket that isn't empty. On AWS the deletion fails; here it is refused, and
    /// noted, since it must not come to that.
    async fn delete_stack(&self, request: HttpRequest, stack: &str) -> HttpResponse {
        let _turn = self.turn.lock().await;
        for bucket in self.buckets_that_go_with(stack).await {
            if !self.is_empty(&bucket).await {
                now(&self.state).deeds.refused_stacks.push(stack.to_owned());
                let message = format!("{bucket}: The bucket you tried to delete is not empty");
                return rewrite::refusal(400, "ValidationError", &message);
            }
        }
        self.pass_on(request).await
    }

    async fn buckets_that_go_with(&self, stack: &str) -> Vec<String> {
        let cloudformation = &self.clients.cloudformation;
        // A stack that isn't there has none: what is behind says what it says.
        let Ok(template) = cloudformation.get_template().stack_name(stack).send().await else {
            return Vec::new();
        };
        let logical_ids = rewrite::buckets_not_retained(template.template_body().unwrap());
        let resources = cloudformation.describe_stack_resources().stack_name(stack).send().await.unwrap();
        let resources = resources.stack_resources().iter();
        let gone = resources.filter(|it| logical_ids.iter().any(|id| it.logical_resource_id() == Some(id)));
        gone.filter_map(|it| it.physical_resource_id().map(str::to_owned)).collect()
    }

    /// One that isn't there is empty.
    async fn is_empty(&self, bucket: &str) -> bool {
        match self.clients.s3.list_object_versions().bucket(bucket).max_keys(1).send().await {
            Ok(page) => page.versions().is_empty() && page.delete_markers().is_empty(),
            Err(error) if fault::is_missing(&error) => true,
            Err(error) => panic!("cannot look into {bucket}: {error:?}"),
        }
    }

    async fn land(&self, bucket: &str) {
        let late = self.clients.s3.put_object().bucket(bucket).key("rows/late.json");
        late.body(ByteStream::from_static(b"{}\n")).send().await.unwrap();
        now(&self.state).deeds.late_objects += 1;
    }

    /// Whether a trouble is left for this bucket; then it is one less.
    fn is_due(&self, bucket: &str, count: impl Fn(&mut Trouble) -> &mut u32) -> bool {
        let mut state = now(&self.state);
        if state.trouble.bucket != bucket {
            return false;
        }
        let count = count(&mut state.trouble);
        let due = *count > 0;
        *count = count.saturating_sub(1);
        due
    }

    fn is_to_slow_down(&self) -> bool {
        let mut state = now(&self.state);
        state.calls_to_s3 += 1;
        let due = state.trouble.slow_down_every.is_some_and(|every| state.calls_to_s3.is_multiple_of(every));
        state.deeds.slowed_down += u32::from(due);
        due
    }

    async fn pass_on(&self, mut request: HttpRequest) -> HttpResponse {
        rewrite::send_to(&mut request, &self.upstream);
        let answer = self.connector.call(request).await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let body = ByteStream::new(answer.into_body()).collect().await.unwrap();
        let mut collected = HttpResponse::new(status, SdkBody::from(body.into_bytes()));
        *collected.headers_mut() = headers;
        collected.headers_mut().remove("transfer-encoding");
        collected
    }
}
