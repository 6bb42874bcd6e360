use super::*;
use crate::cli::Format;
use crate::data::testing::s3::{ACCOUNT, FakeBucket, Fault};
use std::io;

fn query() -> ResultsQuery {
    ResultsQuery { bucket: "bucket".to_owned(), account: ACCOUNT.to_owned(), prefix: "rows/".to_owned() }
}

async fn jsonl(bucket: &FakeBucket) -> (String, Result<ResultsSummary>) {
    let mut out = Vec::new();
    let summary = print_rows(&bucket.client, &query(), Format::Jsonl, &mut out).await;
    (String::from_utf8(out).unwrap(), summary)
}

fn row(id: usize) -> String {
    format!("{{\"id\": {id}}}\n")
}

#[tokio::test(start_paused = true)]
async fn rows_come_in_the_order_of_time_across_pages() {
    let bucket = FakeBucket::new(|_, _| None);
    for id in 0..40 {
        // The later the key, the older the object; pairs of one second go by key.
        bucket.put(&format!("rows/{:02}", 39 - id), (id / 2) as i64, row(id));
    }
    bucket.put("errors/1", 0, "{\"id\": 99}\n");
    let (text, summary) = jsonl(&bucket).await;
    let expected: String = (0..40).map(|id| row(id ^ 1)).collect();
    assert_eq!(text, expected);
    let summary = summary.unwrap();
    assert_eq!((summary.objects, summary.rows, summary.not_rows), (40, 40, 0));
    assert_eq!(summary.bytes, expected.len() as u64);
    assert_eq!(summary.last.unwrap().as_second() - summary.first.unwrap().as_second(), 19);
}

#[tokio::test(start_paused = true)]
async fn rows_keep_their_order_while_many_objects_are_fetched_at_once() {
    let bucket = FakeBucket::new(|key, before| (key == "rows/003" && before == 0).then_some(Fault::SlowDown));
    (0..200).for_each(|id| bucket.put(&format!("rows/{id:03}"), 0, row(id)));
    let began = tokio::time::Instant::now();
    let (text, _) = jsonl(&bucket).await;
    assert_eq!(text, (0..200).map(row).collect::<String>());
    // 67 pages of 50 ms one after the other, and 200 fetches of 50 ms, sixteen at a time.
    assert!(began.elapsed().as_secs_f64() < 3.35 + 13.0 * 0.05 + 2.0, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn rows_stay_verbatim_with_or_without_new_lines_between_them() {
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a", 1, "{\"price\":65.060,\"x\":  1e2}{\"price\":1}");
    bucket.put("rows/b", 2, "{\"price\": 2.50}\n");
    let (text, summary) = jsonl(&bucket).await;
    assert_eq!(text, "{\"price\":65.060,\"x\":  1e2}\n{\"price\":1}\n{\"price\": 2.50}\n");
    assert_eq!(summary.unwrap().rows, 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_row_is_reported_with_its_object() {
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a", 1, row(1));
    bucket.put("rows/b", 2, "not json\n{\"id\": 2}\n[3]\n");
    let (text, summary) = jsonl(&bucket).await;
    let summary = summary.unwrap();
    assert_eq!(text, row(1) + &row(2));
    assert_eq!((summary.not_rows, summary.not_rows_in.as_deref()), (2, Some("rows/b")));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_goes_on_where_it_broke() {
    let bucket = FakeBucket::new(|what, _| match what {
        "rows/a" => Some(Fault::Cut(1_003)),
        "rows/a bytes=1003-" => Some(Fault::Cut(0)),
        _ => None,
    });
    let content: String = (100..300).map(row).collect();
    bucket.put("rows/a", 1, content.clone());
    let (text, summary) = jsonl(&bucket).await;
    assert!(summary.is_err(), "a body that never goes on is an error");
    assert_eq!(text, "");

    let bucket = FakeBucket::new(|what, before| match (what, before) {
        ("rows/a", _) => Some(Fault::Cut(1_003)),
        ("rows/a bytes=1003-", 0) => Some(Fault::Cut(0)),
        ("rows/a bytes=1003-", _) => Some(Fault::Cut(500)),
        _ => None,
    });
    bucket.put("rows/a", 1, content.clone());
    let (text, summary) = jsonl(&bucket).await;
    assert_eq!(summary.unwrap().rows, 200);
    assert_eq!(text, content);
    assert_eq!(bucket.requests().last().unwrap(), "rows/a bytes=1503-");
}

#[tokio::test(start_paused = true)]
async fn rows_before_a_failure_are_written_and_the_failure_is_told() {
    let bucket = FakeBucket::new(|key, _| (key == "rows/b").then_some(Fault::AccessDenied));
    bucket.put("rows/a", 1, row(1));
    bucket.put("rows/b", 2, row(2));
    let mut out = Vec::new();
    let error = print_rows(&bucket.client, &query(), Format::Csv, &mut out).await.unwrap_err();
    assert!(format!("{error:#}").contains("read s3://bucket/rows/b"), "{error:#}");
    assert_eq!(out, b"id\n1\n");
}

#[tokio::test(start_paused = true)]
async fn an_object_that_goes_while_it_is_read_is_counted_as_gone() {
    let bucket = FakeBucket::new(|key, _| (key == "rows/a").then_some(Fault::NoSuchKey));
    bucket.put("rows/a", 1, row(1));
    bucket.put("rows/b", 2, row(2));
    let (text, summary) = jsonl(&bucket).await;
    let summary = summary.unwrap();
    assert_eq!((text, summary.gone, summary.objects), (row(2), 1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_left_is_told_apart_from_a_failure() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a", 1, row(1));
    for format in [Format::Table, Format::Jsonl, Format::Csv] {
        let error = print_rows(&bucket.client, &query(), format, &mut Closed).await.unwrap_err();
        let error = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_is_no_failure() {
    let (text, summary) = jsonl(&FakeBucket::new(|_, _| None)).await;
    assert_eq!((text, summary.unwrap()), (String::new(), ResultsSummary::default()));
}
