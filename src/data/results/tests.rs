use super::*;
use crate::cli::Format;
use crate::data::testing::packed::{gzip, parquet};
use crate::data::testing::s3::{ACCOUNT, FakeBucket, Fault};
use std::io;

fn query() -> ResultsQuery {
    ResultsQuery { bucket: "bucket".to_owned(), account: ACCOUNT.to_owned(), prefix: "rows/".to_owned() }
}

async fn print(
    bucket: &FakeBucket,
    query: &ResultsQuery,
    view: &View,
    out: &mut dyn Write,
) -> Result<ResultsSummary> {
    let mut reader = RowReader::new(&bucket.client, query, view, out);
    let read = reader.read_all().await;
    let summary = reader.finish();
    read.map_err(|failure| failure.error)?;
    summary
}

async fn jsonl(bucket: &FakeBucket) -> (String, Result<ResultsSummary>) {
    shown(bucket, &query(), &View::all(Format::Jsonl)).await
}

async fn shown(bucket: &FakeBucket, query: &ResultsQuery, view: &View) -> (String, Result<ResultsSummary>) {
    let mut out = Vec::new();
    let summary = print(bucket, query, view, &mut out).await;
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
    let error = print(&bucket, &query(), &View::all(Format::Csv), &mut out).await.unwrap_err();
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
        let error = print(&bucket, &query(), &View::all(format), &mut Closed).await.unwrap_err();
        let error = error.downcast_ref::<io::Error>().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{format:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_bucket_is_no_failure() {
    let (text, summary) = jsonl(&FakeBucket::new(|_, _| None)).await;
    assert_eq!((text, summary.unwrap()), (String::new(), ResultsSummary::default()));
}

#[tokio::test(start_paused = true)]
async fn objects_are_unpacked_by_what_they_are_and_damaged_ones_are_told_with_their_reason() {
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a.gz", 1, gzip(&(row(1) + &row(2))));
    bucket.put("rows/b.parquet", 2, parquet(&[(3, "AAPL", Some(65.06))]));
    bucket.put("rows/c", 3, row(4));
    let cut = gzip(&(0..500).map(row).collect::<String>());
    bucket.put("rows/d.gz", 4, cut[..cut.len() - 4].to_vec());
    bucket.put("rows/e.zip", 5, &b"PK\x03\x04............"[..]);
    let (text, summary) = jsonl(&bucket).await;
    let summary = summary.unwrap();
    let expected = row(1) + &row(2) + "{\"id\":3,\"stockId\":\"AAPL\",\"price\":65.06}\n" + &row(4);
    assert_eq!(text, expected + &(0..500).map(row).collect::<String>());
    assert_eq!((summary.broken, summary.rows, summary.not_rows), (2, 504, 0));
    assert!(summary.broken_in.as_ref().unwrap().starts_with("rows/d.gz: its gzip is damaged"), "{summary:?}");
    let error = summary.failure().unwrap();
    assert_eq!(error.kind, Kind::Failed);
    assert_eq!(error.message, "2 objects could not be read to the end, so that rows are missing");
    let cause = error.cause.unwrap();
    assert!(
        cause.starts_with("rows/d.gz: its gzip is damaged: ") && cause.contains("\nrows/e.zip: "),
        "{cause}"
    );
    let many = ResultsSummary { broken: 5, ..summary }.failure().unwrap();
    assert!(many.cause.unwrap().ends_with("\nand 3 more"));
    assert_eq!(ResultsSummary::default().failure(), None);
}

#[tokio::test(start_paused = true)]
async fn a_compressed_body_that_breaks_off_anywhere_goes_on_where_it_broke() {
    let content: String = (100..160).map(row).collect();
    for (body, expected) in [
        (gzip(&content), content.clone()),
        (parquet(&[(1, "GE", None)]), "{\"id\":1,\"stockId\":\"GE\",\"price\":null}\n".to_owned()),
    ] {
        for cut in (0..body.len()).step_by(11) {
            let bucket = FakeBucket::new(move |what, _| (what == "rows/a").then_some(Fault::Cut(cut)));
            bucket.put("rows/a", 1, body.clone());
            let (text, summary) = jsonl(&bucket).await;
            assert_eq!(text, expected, "cut at {cut}");
            assert_eq!(summary.unwrap().broken, 0, "cut at {cut}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_are_not_wanted_are_neither_written_nor_counted_nor_added_up() {
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a", 1, "{\"id\": 1, \"stockId\": \"GE\", \"price\": 24.5}\n");
    bucket.put(
        "rows/b",
        2,
        "{\"id\": 2, \"stockId\": \"KO\", \"price\": 41.0}{\"id\": 10, \"stockId\": \"GE\", \"price\": 25.5}",
    );
    let filter = |text: &str| Filter::parse(text).unwrap();
    let columns = vec!["price".to_owned(), "id".to_owned()];
    let view = View {
        columns,
        filters: vec![filter("stockId=GE"), filter("id>1")],
        sum: true,
        ..View::all(Format::Jsonl)
    };
    let (text, summary) = shown(&bucket, &query(), &view).await;
    let summary = summary.unwrap();
    assert_eq!((text.as_str(), summary.rows, summary.objects), ("{\"price\":25.5,\"id\":10}\n", 1, 2));
    let sums: Vec<(&str, f64)> = summary.sums.iter().map(|it| (it.column.as_str(), it.sum)).collect();
    assert_eq!(sums, [("price", 25.5), ("id", 10.0)]);
}

#[tokio::test(start_paused = true)]
async fn columns_that_no_row_has_are_named_at_the_end() {
    let bucket = FakeBucket::new(|_, _| None);
    bucket.put("rows/a", 1, "{\"id\": 1}\n{\"id\": 2, \"note\": null}\n");
    let columns: Vec<String> = ["note", "prise", "id"].map(str::to_owned).into();
    for format in [Format::Table, Format::Jsonl, Format::Csv] {
        let view = View { columns: columns.clone(), ..View::all(format) };
        let (_, summary) = shown(&bucket, &query(), &view).await;
        assert_eq!(summary.unwrap().not_found, ["prise"], "{format:?}");
        let none = View { filters: vec![Filter::parse("id>2").unwrap()], ..view };
        let (_, summary) = shown(&bucket, &query(), &none).await;
        assert!(summary.unwrap().not_found.is_empty(), "no row tells nothing of fields");
    }
}

/// A line as Firehose writes it under the error prefix.
fn failed(code: &str, data: &str) -> String {
    let data = aws_smithy_types::base64::encode(data);
    format!(
        "{{\"attemptsMade\":1,\"arrivalTimestamp\":1767225600000,\"errorCode\":\"{code}\",\"errorMessage\":\"m\",\"attemptEndingTimestamp\":1767225601000,\"rawData\":\"{data}\",\"lambdaArn\":\"arn:aws:lambda:f\"}}\n"
    )
}

fn failures() -> (FakeBucket, ResultsQuery, View) {
    let bucket = FakeBucket::new(|_, _| None);
    let lines = failed("Lambda.ProcessingFailedStatus", "{\"tickerSymbol\": AAPL, \"price\": 119.72}")
        + &failed("Lambda.ProcessingFailedStatus", "[\"a list\"]");
    bucket.put("errors/processing-failed/2026/01/01/00/x", 1, lines);
    bucket.put("errors/processing-failed/2026/01/01/01/y", 2, failed("Lambda.FunctionError", "{\"id\": 7}"));
    let query = ResultsQuery { prefix: "errors/".to_owned(), ..query() };
    (bucket, query, View { failures: true, ..View::all(Format::Table) })
}

#[tokio::test(start_paused = true)]
async fn records_that_failed_are_shown_with_their_reason_and_their_data() {
    let (bucket, query, view) = failures();
    let (text, summary) = shown(&bucket, &query, &view).await;
    insta::assert_snapshot!(text);
    let told = FailuresRead::from(summary.unwrap());
    let codes: Vec<(&str, u64)> = told.codes.iter().map(|it| (it.code.as_str(), it.records)).collect();
    assert_eq!(codes, [("Lambda.FunctionError", 1), ("Lambda.ProcessingFailedStatus", 2)]);
    assert!(told.codes.iter().all(|it| it.meaning.is_some() && it.remedy.is_some()));
}

#[tokio::test(start_paused = true)]
async fn records_that_failed_are_objects_for_programs_and_can_be_chosen_from() {
    let (bucket, query, view) = failures();
    let (text, _) = shown(&bucket, &query, &View { format: Format::Jsonl, ..view.clone() }).await;
    let read: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read.len(), 3);
    assert_eq!(
        (read[2]["data"].as_str(), read[2]["error_type"].as_str()),
        (Some("{\"id\": 7}"), Some("processing-failed"))
    );
    assert_eq!(read[2]["object"], "errors/processing-failed/2026/01/01/01/y");
    let columns = vec!["error_code".to_owned(), "attempts".to_owned()];
    let filters = vec![Filter::parse("error_code=Lambda.FunctionError").unwrap()];
    let chosen = View { format: Format::Csv, columns, filters, ..view };
    let (text, summary) = shown(&bucket, &query, &chosen).await;
    assert_eq!(text, "error_code,attempts\nLambda.FunctionError,1\n");
    assert_eq!(summary.unwrap().rows, 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_could_not_be_read_to_its_end_is_read_again_without_a_row_twice() {
    let content: String = (0..30_000).map(row).collect();
    // Nothing comes behind the first 300,000 bytes, until it is tried for the second time.
    let bucket = FakeBucket::new(|what, before| match (what, before) {
        ("rows/b", 0) => Some(Fault::Cut(300_000)),
        ("rows/b bytes=300000-", 0..6) => Some(Fault::Cut(0)),
        _ => None,
    });
    bucket.put("rows/a", 1, row(1));
    bucket.put("rows/b", 2, content.clone());
    let (query, view, mut out) = (query(), View::all(Format::Jsonl), Vec::new());
    let mut reader = RowReader::new(&bucket.client, &query, &view, &mut out);
    let objects = list_objects(&bucket.client, &query).await.unwrap();
    let (done, read) = reader.read(&objects).await;
    assert!(read.is_err_and(|failure| failure.transient));
    assert_eq!(done, 1, "the first is done with");
    let (done, read) = reader.read(&objects[1..]).await;
    read.unwrap();
    let summary = reader.finish().unwrap();
    assert_eq!((done, summary.rows, summary.objects), (1, 30_001, 2));
    assert_eq!(String::from_utf8(out).unwrap(), row(1) + &content);
}
