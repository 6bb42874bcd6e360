//! A running server: reused, replaced, ended.

use super::*;

fn environment(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let variables = bytes.split(|byte| *byte == 0).filter(|variable| !variable.is_empty());
    variables.map(|variable| String::from_utf8_lossy(variable).into_owned()).collect()
}

#[tokio::test]
async fn a_running_server_is_reused() {
    let (place, told) = (Place::new(), Told::default());
    let first = place.cloud().ensure(&told).await.unwrap();
    let second = place.cloud().ensure(&told).await.unwrap();
    assert_eq!((first.pid, &first.endpoint), (second.pid, &second.endpoint));
    assert_eq!(told.starts(), 1);
    let ready =
        |started| told.count(|event| matches!(event, Event::LocalReady { started: s, .. } if *s == started));
    assert_eq!((ready(true), ready(false)), (1, 1));
    let found = place.cloud().find().await.unwrap().unwrap();
    assert_eq!(found.pid, first.pid);
}

#[tokio::test]
async fn looking_starts_nothing_and_leaves_no_trace() {
    let (place, told) = (Place::new(), Told::default());
    assert!(place.cloud().find().await.unwrap().is_none());
    assert_eq!(place.cloud().status().await.state, State::Stopped);
    assert!(!place.cloud().stop(&told).await.unwrap());
    assert_eq!(fs::read_dir(place.cache.path()).unwrap().count(), 0);
    assert!(told.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_died_is_replaced_and_its_children_are_ended() {
    let (place, told) = (Place::new(), Told::default());
    let first = place.cloud().ensure(&told).await.unwrap();
    start_a_function(&first);
    let children: Vec<u32> =
        process::of_run(&place.files().run()).into_iter().filter(|pid| *pid != first.pid).collect();
    assert_eq!(children.len(), 2);
    process::kill(first.pid);
    eventually("the server is dead", || !lock::is_held(&place.files().alive()));
    assert!(place.cloud().find().await.unwrap().is_none());
    let second = place.cloud().ensure(&told).await.unwrap();
    assert_ne!(first.pid, second.pid);
    assert_eq!(process::of_run(&place.files().run()), [second.pid]);
}

#[tokio::test]
async fn a_stuck_server_is_replaced() {
    let (place, told) = (Place::new(), Told::default());
    let first = place.cloud().ensure(&told).await.unwrap();
    assert!(Command::new("kill").args(["-STOP", &first.pid.to_string()]).status().unwrap().success());
    let mut cloud = place.cloud();
    cloud.patience = Duration::from_millis(300);
    cloud.glance = Duration::from_millis(300);
    assert_eq!(cloud.status().await.state, State::Unresponsive);
    let second = cloud.ensure(&told).await.unwrap();
    assert_ne!(first.pid, second.pid);
    assert_eq!(process::of_run(&place.files().run()), [second.pid]);
}

#[tokio::test]
async fn stop_leaves_no_process_no_child_no_temporary_file_and_no_port() {
    let (place, told) = (Place::new(), Told::default());
    let running = place.cloud().ensure(&told).await.unwrap();
    start_a_function(&running);
    let (run, port) = (place.files().run(), port(&running));
    assert_eq!(process::of_run(&run).len(), 3);
    assert!(place.cloud().stop(&told).await.unwrap());
    assert!(process::of_run(&run).is_empty());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    let local = fs::read_dir(place.cache.path().join("local")).unwrap();
    let mut left: Vec<String> =
        local.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["alive.lock", "command.lock", "server.log", "users.lock"]);
    assert_eq!(told.count(|event| *event == Event::LocalStopped), 1);
    assert!(!place.cloud().stop(&told).await.unwrap());
}

#[tokio::test]
async fn stop_ends_what_a_dead_server_left() {
    let (place, told) = (Place::new(), Told::default());
    let running = place.cloud().ensure(&told).await.unwrap();
    start_a_function(&running);
    process::kill(running.pid);
    eventually("the server is dead", || !lock::is_held(&place.files().alive()));
    assert!(place.cloud().stop(&told).await.unwrap());
    assert!(process::of_run(&place.files().run()).is_empty());
    assert!(!place.files().run().exists());
}

#[test]
fn four_commands_at_once_start_one_server() {
    let (place, told) = (Place::new(), Told::default());
    let pids: Vec<u32> = std::thread::scope(|scope| {
        let ensure = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(place.cloud().ensure(&told)).unwrap().pid
        };
        let commands: Vec<_> = (0..4).map(|_| scope.spawn(ensure)).collect();
        commands.into_iter().map(|command| command.join().unwrap()).collect()
    });
    assert_eq!(pids, [pids[0]; 4]);
    assert_eq!(told.starts(), 1);
    assert_eq!(process::of_run(&place.files().run()), [pids[0]]);
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_no_server() {
    let (place, told) = (Place::new(), Told::default());
    place.cloud().install.ensure(&told).await.unwrap();
    let cloud = place.cloud();
    tokio::select! {
        biased;
        _ = cloud.ensure(&told) => panic!("the server can't answer as quickly as it can be spawned"),
        () = async { while cloud.files.record().is_none() { tokio::task::yield_now().await } } => {}
    }
    eventually("the server is dead", || !lock::is_held(&place.files().alive()));
    assert!(process::of_run(&place.files().run()).is_empty());
    assert!(!place.files().run().exists());
}

#[tokio::test]
async fn the_last_to_leave_ends_the_server_and_nobody_else_does() {
    let (place, told) = (Place::new(), Told::default());
    let mine = place.cloud().ensure(&told).await.unwrap();
    let theirs = place.cloud().find().await.unwrap().unwrap();
    let unasked = async { panic!("asked although another command uses the server") };
    assert!(!place.cloud().release(mine, unasked, &told).await.unwrap());
    let mine = place.cloud().ensure(&told).await.unwrap();
    drop(theirs);
    assert!(!place.cloud().release(mine, async { Ok(false) }, &told).await.unwrap());
    let mine = place.cloud().ensure(&told).await.unwrap();
    assert_eq!(told.starts(), 1);
    assert!(place.cloud().release(mine, async { Ok(true) }, &told).await.unwrap());
    assert!(place.cloud().find().await.unwrap().is_none());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn it_listens_on_loopback_only_and_knows_nothing_of_ours() {
    let (place, told) = (Place::new(), Told::default());
    let running = place.cloud().ensure(&told).await.unwrap();
    start_a_function(&running);

    // Which sockets the server holds, and where each of them listens (state 0A).
    let links = fs::read_dir(format!("/proc/{}/fd", running.pid)).unwrap().flatten();
    let targets =
        links.filter_map(|link| fs::read_link(link.path()).ok()?.into_os_string().into_string().ok());
    let inodes: Vec<String> = targets
        .filter_map(|target| Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut listening = Vec::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        for line in fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default().lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            if inodes.iter().any(|inode| inode == fields[9])
                && (fields[3] == "0A" || table.starts_with("udp"))
            {
                listening.push(fields[1].to_owned());
            }
        }
    }
    assert!(listening.contains(&format!("0100007F:{:04X}", port(&running))), "{listening:?}");
    assert!(listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");

    let variables = environment(running.pid);
    let mut names: Vec<&str> = variables.iter().map(|variable| variable.split('=').next().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "AWS_EC2_METADATA_DISABLED",
        "AWS_ENDPOINT_URL",
        "BIND_HOST",
        "DOCKER_HOST",
        "GATEWAY_PORT",
        "HOME",
        "IOT_MTLS_ENABLED",
        "LANG",
        "MINISTACK_EDITION",
        "PATH",
        "S3_DATA_DIR",
        "SFTP_ENABLED",
        "STATE_DIR",
        "TMPDIR",
    ];
    assert_eq!(names, expected);
    let home = std::env::var("HOME").unwrap_or_default();
    assert!(!variables.contains(&format!("HOME={home}")));
}

#[tokio::test]
async fn status_says_all_of_a_running_server() {
    let (place, told) = (Place::new(), Told::default());
    let running = place.cloud().ensure(&told).await.unwrap();
    let status = serde_json::to_value(place.cloud().status().await).unwrap();
    assert_eq!(status["state"], "running");
    assert_eq!(status["installed"], true);
    assert_eq!(status["endpoint"], running.endpoint);
    assert_eq!(status["pid"], running.pid);
    assert_eq!(status["version"], crate::local::VERSION);
    assert_eq!(status["since"], running.since.to_string());
    assert!(fs::read_to_string(status["log"].as_str().unwrap()).unwrap().contains("Running on"));
}

#[tokio::test]
async fn a_server_that_can_not_start_says_why() {
    let place = Place::with_own_install();
    let install = place.cloud().install;
    fs::create_dir_all(install.directory().join("bin")).unwrap();
    fs::write(install.marker(), "").unwrap();
    let (fake, _) = fake_python("echo 'RuntimeError: no such luck'; exit 1");
    fs::rename(fake.path().join("python3"), install.directory().join("bin/python")).unwrap();
    let error = Error::of(&place.cloud().ensure(&Told::default()).await.unwrap_err());
    assert_eq!(error.message, "the local cloud ended while it was starting");
    assert_eq!(error.cause.unwrap(), "RuntimeError: no such luck");
    assert!(error.remedies[0].contains("server.log"));
}

#[tokio::test]
async fn ports_that_others_took_are_given_up_after_three_tries() {
    let place = Place::with_own_install();
    let install = place.cloud().install;
    fs::create_dir_all(install.directory().join("bin")).unwrap();
    fs::write(install.marker(), "").unwrap();
    let counter = place.cache.path().join("tries");
    let script = format!(
        "echo >> {}; echo ERROR: 127.0.0.1:$GATEWAY_PORT is already in use; exit 1",
        counter.display()
    );
    let (fake, _) = fake_python(&script);
    fs::rename(fake.path().join("python3"), install.directory().join("bin/python")).unwrap();
    let error = Error::of(&place.cloud().ensure(&Told::default()).await.unwrap_err());
    assert!(error.message.contains("no free port"), "{error}");
    assert!(error.cause.unwrap().contains("already in use"));
    assert_eq!(fs::read_to_string(counter).unwrap().lines().count(), 3);
}

#[tokio::test]
async fn a_stranger_on_the_port_is_not_taken_for_the_server() {
    let (place, told) = (Place::new(), Told::default());
    let running = place.cloud().ensure(&told).await.unwrap();
    let mut record = place.files().record().unwrap();
    record.token = "another".to_owned();
    place.files().write(&record).unwrap();
    let mut cloud = place.cloud();
    cloud.patience = Duration::from_millis(300);
    let error = Error::of(&cloud.find().await.unwrap_err());
    assert!(error.message.contains("gave no answer") && error.remedies[1].contains("local stop"), "{error}");
    drop(running);
}
