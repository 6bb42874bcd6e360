//! `down --export DIR`: all that the bucket holds is saved before it goes.

use crate::bench::{BUCKET, Bench, STACK};
use kinesis_stack::event::Event;
use kinesis_stack::stack::down::Wish;
use simulated_aws::{Deed, Fault, Refusal, Spell, Trouble, Version, When};
use std::collections::BTreeMap;
use std::path::Path;

/// All files, by their paths, but those of the tool's own.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut left = vec![directory.to_owned()];
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            match entry.path() {
                path if path.ends_with(".kinesis-stack-export") => {}
                path if path.is_dir() => left.push(path),
                path => {
                    let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, std::fs::read(path).unwrap());
                }
            }
        }
    }
    found
}

fn put(bench: &Bench, key: &str, content: &str) {
    bench.account().put(BUCKET, key, Version::of(content.as_bytes().to_vec()));
}

async fn with_rows() -> (Bench, tempfile::TempDir) {
    let bench = Bench::deployed().await;
    for row in 0..40 {
        put(&bench, &format!("rows/2026/11/24/12/{row:02}"), &format!("row {row}\n"));
    }
    (bench, tempfile::tempdir().unwrap())
}

#[tokio::test(start_paused = true)]
async fn every_object_is_saved_and_verified_before_it_goes_and_without_a_question() {
    let (bench, directory) = with_rows().await;
    let done =
        bench.down_so(|wish| Wish { export: Some(directory.path().to_owned()), ..wish }).await.unwrap();
    let files = files(directory.path());
    assert_eq!(files.len(), 40);
    assert_eq!(files["rows/2026/11/24/12/07"], b"row 7\n");
    let exported = done.exported.unwrap();
    assert_eq!((exported.objects, exported.by_size_alone, exported.gone), (40, 0, 0));
    assert_eq!(bench.remains(), [""; 0]);
    assert_eq!(bench.calls("GetObject").len(), 40, "each once");
}

#[tokio::test(start_paused = true)]
async fn what_the_dying_delivery_stream_still_wrote_is_saved_too() {
    let (bench, directory) = with_rows().await;
    bench.account().script.flushes = 1;
    bench.down_so(|wish| Wish { export: Some(directory.path().to_owned()), ..wish }).await.unwrap();
    let files = files(directory.path());
    assert_eq!(files.len(), 41);
    assert!(files.keys().any(|name| name.contains("flushed")), "{files:?}");
    assert_eq!(bench.remains(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn an_export_that_fails_stops_before_anything_is_deleted_and_the_next_goes_on() {
    let (bench, directory) = with_rows().await;
    let export = |wish| Wish { export: Some(directory.path().to_owned()), ..wish };
    let refusal = Refusal::denied("arn:aws:iam::123456789012:user/somebody", "s3:GetObject", "*");
    bench.account().faults.push(Fault { operation: "GetObject", when: When::Always, refusal });
    let error = bench.down_so(export).await.unwrap_err();
    assert!(error.to_string().contains("s3:GetObject"), "{error}");
    assert_eq!(bench.changes(), [""; 0]);
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"));
    bench.account().faults.clear();
    bench.again().down_so(export).await.unwrap();
    assert_eq!(files(directory.path()).len(), 40);
}

#[tokio::test(start_paused = true)]
async fn what_lies_there_and_is_the_same_is_not_fetched_again_and_what_is_not_is() {
    let (bench, directory) = with_rows().await;
    let export = |wish| Wish { export: Some(directory.path().to_owned()), keep_data: true, ..wish };
    bench.down_so(export).await.unwrap();
    bench.forget();
    let row = |row: u32| directory.path().join(format!("rows/2026/11/24/12/{row:02}"));
    std::fs::write(row(1), "row X\n").unwrap();
    std::fs::write(row(2), "short").unwrap();
    std::fs::remove_file(row(3)).unwrap();
    let done = bench.again().down_so(export).await.unwrap();
    assert_eq!(bench.calls("GetObject").len(), 3);
    assert_eq!(done.exported.unwrap().objects, 40);
    let files = files(directory.path());
    assert_eq!(files["rows/2026/11/24/12/01"], b"row 1\n");
    assert_eq!(files["rows/2026/11/24/12/03"], b"row 3\n");
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_fetched_anew() {
    let (bench, directory) = with_rows().await;
    let spell = Spell { operation: "GetObject".to_owned(), when: When::Times(5), trouble: Trouble::Cut };
    bench.account().spells.push(spell);
    bench.down_so(|wish| Wish { export: Some(directory.path().to_owned()), ..wish }).await.unwrap();
    let files = files(directory.path());
    assert_eq!(files.len(), 40);
    assert!(files.iter().all(|(name, content)| content.starts_with(b"row ") && !name.ends_with(".part")));
}

#[tokio::test(start_paused = true)]
async fn keys_that_can_not_be_names_of_files_are_saved_below_the_directory_all_the_same() {
    let bench = Bench::deployed().await;
    let (outer, keys) =
        (tempfile::tempdir().unwrap(), ["../outside", "/etc/x", "a", "a/b", "folder/", "rows/ok"]);
    let directory = outer.path().join("inner");
    for key in keys {
        put(&bench, key, key);
    }
    let done = bench.down_so(|wish| Wish { export: Some(directory.clone()), ..wish }).await.unwrap();
    let saved = files(outer.path());
    let mut contents: Vec<&str> =
        saved.values().map(|content| std::str::from_utf8(content).unwrap()).collect();
    contents.sort_unstable();
    assert_eq!(contents, keys);
    assert!(saved.keys().all(|name| name.starts_with("inner/")), "{saved:?}");
    let exported = done.exported.unwrap();
    assert_eq!((exported.objects, exported.renamed), (6, 3));
}

#[tokio::test(start_paused = true)]
async fn without_a_stack_the_bucket_is_saved_before_it_goes() {
    let (bench, directory) = with_rows().await;
    bench.down_so(|wish| Wish { keep_data: true, ..wish }).await.unwrap();
    let export = |wish| Wish { export: Some(directory.path().to_owned()), ..wish };
    bench.again().down_so(export).await.unwrap();
    assert_eq!(files(directory.path()).len(), 40);
    assert_eq!(bench.remains(), [""; 0]);
    // And where nothing is left, nothing is saved.
    let done = bench.again().down_so(export).await.unwrap();
    assert_eq!((done.changed, done.exported), (Some(false), None));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_lands_between_the_last_look_and_the_end_is_saved() {
    let (bench, directory) = with_rows().await;
    bench.account().somebody_before("DeleteStack", Deed::Puts(BUCKET.to_owned(), "rows/late".to_owned()));
    bench.down_so(|wish| Wish { export: Some(directory.path().to_owned()), ..wish }).await.unwrap();
    assert!(files(directory.path()).contains_key("rows/late"));
    let told = bench.events().iter().filter(|event| matches!(event, Event::Exported(_))).count();
    assert_eq!(told, 2, "{STACK}: once before, once for what came late");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_no_export_has_written_is_never_written_over() {
    let (bench, directory) = with_rows().await;
    std::fs::create_dir_all(directory.path().join("rows/2026/11/24/12")).unwrap();
    std::fs::write(directory.path().join("rows/2026/11/24/12/07"), "mine").unwrap();
    let wish = |wish| Wish { export: Some(directory.path().to_owned()), ..wish };
    let error = bench.down_so(wish).await.unwrap_err();
    assert_eq!(error.kind, kinesis_stack::error::Kind::Refused, "{error}");
    assert!(error.message.contains("rows/2026/11/24/12/07"), "{error}");
    assert_eq!(files(directory.path())["rows/2026/11/24/12/07"], b"mine");
    assert_eq!(bench.status().as_deref(), Some("CREATE_COMPLETE"), "nothing was deleted");
}

#[tokio::test(start_paused = true)]
async fn a_link_that_leads_out_stops_the_export_at_once_and_leaves_nothing_outside() {
    let (bench, directory) = with_rows().await;
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), directory.path().join("rows")).unwrap();
    let wish = |wish| Wish { export: Some(directory.path().to_owned()), ..wish };
    let error = bench.down_so(wish).await.unwrap_err();
    assert!(error.message.contains("leads out"), "{error}");
    assert!(!error.remedies.is_empty());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
    let own = std::fs::read_dir(directory.path().join(".kinesis-stack-export")).unwrap();
    let names: Vec<String> = own.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| name.ends_with(".part")).count(), 0, "{names:?}");
}

#[tokio::test(start_paused = true)]
async fn objects_that_never_cease_to_come_are_told_before_the_bucket_goes() {
    let (bench, directory) = with_rows().await;
    let is_told = || bench.events().iter().any(|event| matches!(event, Event::ExportUnsettled { .. }));
    let others = async {
        for row in 0.. {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            if is_told() {
                break;
            }
            // Once the stack is gone: somebody else writes to the bucket.
            if bench.account().stack(STACK).is_none_or(|stack| stack.is_gone()) {
                put(&bench, &format!("rows/late/{row}"), "late\n");
            }
        }
    };
    let down = bench.down_so(|wish| Wish { export: Some(directory.path().to_owned()), ..wish });
    let (done, ()) = tokio::join!(down, others);
    done.unwrap();
    let told = bench.events().into_iter().find_map(|event| match event {
        Event::ExportUnsettled { bucket, rounds, .. } => Some((bucket, rounds)),
        _ => None,
    });
    assert_eq!(told, Some((BUCKET.to_owned(), 5)));
}

#[tokio::test(start_paused = true)]
async fn a_directory_of_its_own_that_is_a_link_is_refused_before_anything_is_deleted() {
    let (bench, directory) = with_rows().await;
    let elsewhere = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), directory.path().join(".kinesis-stack-export")).unwrap();
    let export = |wish| Wish { export: Some(directory.path().to_owned()), ..wish };
    let error = bench.down_so(export).await.unwrap_err();
    assert_eq!(error.kind, kinesis_stack::error::Kind::Refused, "{error:?}");
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(bench.changes(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn two_exports_into_one_directory_at_once_do_not_harm_each_other() {
    use kinesis_stack::data::{ResultsQuery, download};
    let (bench, directory) = with_rows().await;
    let account = simulated_aws::ACCOUNT.to_owned();
    let query = ResultsQuery { bucket: BUCKET.to_owned(), account, prefix: String::new() };
    let (s3, reporter) = (&bench.context.clients.s3, bench.context.reporter.as_ref());
    let one = download(s3, &query, directory.path(), reporter);
    let other = async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        download(s3, &query, directory.path(), reporter).await
    };
    let (one, other) = tokio::join!(one, other);
    assert_eq!(one.unwrap().objects, 40);
    assert!(other.unwrap_err().to_string().contains("another download"), "the second is refused");
    assert_eq!(files(directory.path()).len(), 40);
    let again = download(s3, &query, directory.path(), reporter).await.unwrap();
    assert_eq!(
        (again.objects, again.present),
        (40, 40),
        "the lock is given back, and nothing is fetched twice"
    );
}
