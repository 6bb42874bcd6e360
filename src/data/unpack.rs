//! What an object is made of: rows as text, the same compressed, or Parquet. Its first bytes tell, not its name.
//!
//! gzip streams through, several members one after the other included. Parquet can only be read once its end is known,
//! so that such an object goes into a temporary file without a name, which the system frees however this ends: memory
//! holds no more than a row group's pages.

use super::parquet_rows::ParquetRows;
use super::rows::{Piece, RowScanner};
use anyhow::{Context as _, Result};
use flate2::write::MultiGzDecoder;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// So many bytes are taken at a time, and then somebody else gets a turn: a signal has to be heard. Of compressed ones can
/// come at most 1,032 times as many.
const AT_ONCE: usize = 2 * 1024;

/// Takes the bytes of one object, and hands out its rows.
pub(super) struct Unpacker {
    form: Form,
}

enum Form {
    /// Too few bytes have come to tell.
    Unknown(Vec<u8>),
    Text(RowScanner),
    Gzip(Box<MultiGzDecoder<Vec<u8>>>, RowScanner),
    Parquet(File),
    /// What is left can't be read, and that was told.
    Over,
}

/// Forms that Firehose can write and this can't read, by their first bytes.
/// <https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html>
const UNREADABLE: &[(&[u8], &str)] = &[
    (b"PK\x03\x04", "it is a ZIP archive, which isn't read here: `results download` saves it"),
    (b"ORC", "it is ORC, which isn't read here: `results download` saves it"),
    (
        b"\xff\x06\x00\x00sNaPpY",
        "it is compressed with Snappy, which isn't read here: `results download` saves it",
    ),
];
/// The longest of what a form is told by.
const MAGIC: usize = 10;

impl Default for Unpacker {
    fn default() -> Self {
        Unpacker { form: Form::Unknown(Vec::new()) }
    }
}

impl Unpacker {
    /// Hands everything that these bytes complete to `each`, and stops at its first error.
    pub(super) async fn push(
        &mut self,
        bytes: &[u8],
        each: &mut impl FnMut(Piece<'_>) -> Result<()>,
    ) -> Result<()> {
        if let Form::Unknown(first) = &mut self.form {
            first.extend_from_slice(bytes);
            return if first.len() < MAGIC { Ok(()) } else { self.begin(each).await };
        }
        self.take(bytes, each).await
    }

    /// The object is over.
    pub(super) async fn finish(mut self, each: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        if matches!(self.form, Form::Unknown(_)) {
            self.begin(each).await?;
        }
        match self.form {
            Form::Text(scanner) => scanner.finish().map_or(Ok(()), each),
            Form::Gzip(mut decoder, mut scanner) => {
                let ended = decoder.try_finish();
                scanner.push(decoder.get_ref(), &mut *each)?;
                match (ended, scanner.finish()) {
                    (Ok(()), Some(open)) => each(open),
                    (Ok(()), None) => Ok(()),
                    (Err(error), _) => each(Piece::Broken(&format!("its gzip is damaged: {error}"))),
                }
            }
            Form::Parquet(file) => match ParquetRows::open(file) {
                Ok(rows) => rows.read(each).await,
                Err(error) => each(Piece::Broken(&format!("its Parquet is damaged: {error}"))),
            },
            Form::Unknown(_) | Form::Over => Ok(()),
        }
    }

    /// Whether nothing more can come of it.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.form, Form::Over)
    }

    /// Settles what it is by its first bytes, and takes them.
    async fn begin(&mut self, each: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        let Form::Unknown(first) = std::mem::replace(&mut self.form, Form::Over) else { return Ok(()) };
        if let Some((_, why)) = UNREADABLE.iter().find(|(magic, _)| first.starts_with(magic)) {
            return each(Piece::Broken(why));
        }
        self.form = if first.starts_with(b"\x1f\x8b") {
            Form::Gzip(Box::new(MultiGzDecoder::new(Vec::new())), RowScanner::default())
        } else if first.starts_with(b"PAR1") {
            Form::Parquet(nameless().context("cannot make a temporary file for a Parquet object")?)
        } else {
            Form::Text(RowScanner::default())
        };
        self.take(&first, each).await
    }

    async fn take(&mut self, bytes: &[u8], each: &mut impl FnMut(Piece<'_>) -> Result<()>) -> Result<()> {
        match &mut self.form {
            Form::Text(scanner) => {
                for part in bytes.chunks(32 * AT_ONCE) {
                    scanner.push(part, &mut *each)?;
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Form::Gzip(decoder, scanner) => {
                for part in bytes.chunks(AT_ONCE) {
                    let written = decoder.write_all(part);
                    scanner.push(&std::mem::take(decoder.get_mut()), &mut *each)?;
                    if let Err(error) = written {
                        self.form = Form::Over;
                        return each(Piece::Broken(&format!("its gzip is damaged: {error}")));
                    }
                    tokio::task::yield_now().await;
                }
                Ok(())
            }
            Form::Parquet(file) => {
                file.write_all(bytes).context("cannot write a Parquet object into a temporary file")
            }
            Form::Unknown(_) | Form::Over => Ok(()),
        }
    }
}

/// A file that is gone with its last handle.
fn nameless() -> std::io::Result<File> {
    let name = format!(".kinesis-stack-{}-{:016x}", std::process::id(), fastrand::u64(..));
    let path = std::env::temp_dir().join(name);
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::testing::packed::{gzip, parquet};

    /// It only ever gives others a turn.
    fn at_once<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    /// The text of every row; what isn't one is `-`, what is damaged `!`.
    fn pieces(object: &[u8], size: usize) -> Vec<String> {
        let (mut unpacker, mut found) = (Unpacker::default(), Vec::new());
        let mut keep = |piece: Piece<'_>| {
            found.push(match piece {
                Piece::Row(text, _) => text.to_owned(),
                Piece::NotARow(_) => "-".to_owned(),
                Piece::Broken(_) => "!".to_owned(),
            });
            Ok(())
        };
        for chunk in object.chunks(size) {
            at_once(unpacker.push(chunk, &mut keep)).unwrap();
        }
        at_once(unpacker.finish(&mut keep)).unwrap();
        found
    }

    fn rows(from: usize, to: usize) -> Vec<String> {
        (from..to).map(|id| format!("{{\"id\":{id}}}")).collect()
    }

    #[test]
    fn gzip_is_read_however_its_bytes_come_and_in_any_number_of_members() {
        let members = [gzip(&rows(0, 50).join("\n")), gzip("\n"), gzip(&rows(50, 90).join(""))].concat();
        for size in [1, 2, 3, 7, 64, usize::MAX] {
            assert_eq!(pieces(&members, size), rows(0, 90), "{size}");
        }
    }

    #[test]
    fn gzip_that_was_cut_at_any_byte_tells_its_damage_after_the_rows_before_it() {
        let whole = gzip(&(rows(0, 40).join("\n") + "\n"));
        for end in 2..whole.len() {
            let mut found = pieces(&whole[..end], 5);
            assert_eq!(found.pop().as_deref(), Some("!"), "cut at {end}");
            assert_eq!(found, rows(0, found.len()), "cut at {end}");
        }
        assert_eq!(pieces(&whole[..whole.len() - 8], 5).len(), 41, "but for its checksum, all is there");
        let mut flipped = whole.clone();
        let last = flipped.len() - 5;
        flipped[last] ^= 1;
        assert_eq!(pieces(&flipped, 9).last().map(String::as_str), Some("!"), "its checksum is compared");
    }

    #[test]
    fn much_that_was_packed_into_little_streams_through() {
        let row = format!("{{\"a\":\"{}\"}}\n", "x".repeat(1_000_000));
        let found = pieces(&gzip(&row.repeat(20)), 100);
        assert_eq!((found.len(), found[19].len()), (20, row.len() - 1));
    }

    #[tokio::test]
    async fn a_signal_is_heard_while_much_is_unpacked() {
        let object = gzip(&"{\"a\":1}\n".repeat(2_000_000));
        let (mut unpacker, mut rows) = (Unpacker::default(), 0);
        let mut count = |_: Piece<'_>| {
            rows += 1;
            Ok(())
        };
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            _ = unpacker.push(&object, &mut count) => {}
        }
        assert!(rows < 1_000_000, "{rows}");
    }

    #[test]
    fn parquet_is_read_by_its_first_bytes_and_cut_anywhere_it_is_damaged() {
        let whole = parquet(&[(1, "AAPL", Some(65.06)), (2, "GE", None)]);
        let expected =
            [r#"{"id":1,"stockId":"AAPL","price":65.06}"#, r#"{"id":2,"stockId":"GE","price":null}"#];
        for size in [1, 100, usize::MAX] {
            assert_eq!(pieces(&whole, size), expected);
        }
        for end in (4..whole.len()).step_by(7) {
            assert_eq!(pieces(&whole[..end], 50), ["!"], "cut at {end}");
        }
    }

    #[test]
    fn what_can_not_be_read_says_so_once() {
        for (magic, _) in UNREADABLE {
            let object = [*magic, b"............\n{}\n"].concat();
            assert_eq!(pieces(&object, 3), ["!"]);
        }
        assert_eq!(pieces(b"{}", 1), ["{}"]);
        assert_eq!(pieces(b"", 1), [""; 0]);
    }
}
