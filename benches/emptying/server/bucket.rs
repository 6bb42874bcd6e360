//! The bucket: keys as Firehose names them, over four hours, with two versions each.

use super::http::{Answer, Request};
use super::served::cpu_seconds;
use std::collections::BTreeMap;

/// Versions of a key, newest first: in front of them stands the delete marker, where somebody added one.
const EACH: usize = 2;
const MARKER: usize = 0;
/// All versions, and no marker.
const FULL: u8 = ((1 << EACH) - 1) << 1;
/// Hours that the rows are spread over.
const HOURS: usize = 4;
/// Keys or uploads a page, and keys a deletion.
const MOST: usize = 1_000;

pub struct Bucket {
    /// In order.
    keys: Vec<String>,
    /// Of each key, the versions that are there, a bit each.
    held: Vec<u8>,
    calls: BTreeMap<&'static str, u64>,
}

impl Bucket {
    pub fn new(versions: usize) -> Self {
        let count = versions / EACH;
        let key = |row: usize| {
            let second = row * HOURS * 3_600 / count.max(1);
            let (hour, minute, second) = (14 + second / 3_600, second / 60 % 60, second % 60);
            // No two alike, and as random as an id is.
            let id = (row as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            format!(
                "rows/2026/11/24/{hour:02}/kinesis-stack-dev-1-2026-11-24-{hour:02}-{minute:02}-{second:02}-\
                 {:08x}-{:04x}-4{:03x}-8{:03x}-{row:012x}",
                id >> 32,
                id >> 16 & 0xffff,
                id >> 4 & 0xfff,
                id & 0xfff
            )
        };
        let mut keys: Vec<String> = (0..count).map(key).collect();
        keys.sort_unstable();
        let held = vec![FULL; keys.len()];
        Bucket { keys, held, calls: BTreeMap::new() }
    }

    fn is_there(&self, key: usize, version: usize) -> bool {
        self.held[key] >> version & 1 == 1
    }

    /// What is told of a key: all that is there, or the newest unless that is a marker.
    fn told(&self, key: usize, all: bool) -> std::ops::Range<usize> {
        let newest = (MARKER..=EACH).find(|version| self.is_there(key, *version));
        match newest {
            Some(_) if all => MARKER..EACH + 1,
            Some(newest) if newest != MARKER => newest..newest + 1,
            _ => 0..0,
        }
    }

    pub fn answer(&mut self, request: &Request) -> Answer {
        let has = |name: &str| request.query.contains_key(name);
        let (_, key) = request.path.split_once('/').unwrap_or((&request.path, ""));
        let (name, answer) = match (request.method.as_str(), key) {
            (_, "state") if request.path == "-/state" => return self.state(),
            (_, "fill") if request.path == "-/fill" => {
                self.held.fill(FULL);
                self.calls.clear();
                return self.state();
            }
            ("HEAD", "") => ("HeadBucket", found(String::new())),
            ("GET", "") if has("location") => {
                ("GetBucketLocation", found("<LocationConstraint/>".to_owned()))
            }
            ("GET", "") if has("versioning") => {
                let enabled = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
                ("GetBucketVersioning", found(enabled.to_owned()))
            }
            ("GET", "") if has("uploads") => {
                let none = "<ListMultipartUploadsResult><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>";
                ("ListMultipartUploads", found(none.to_owned()))
            }
            ("GET", "") if has("versions") => ("ListObjectVersions", found(self.list(request, true))),
            ("GET", "") => ("ListObjects", found(self.list(request, false))),
            ("POST", "") if has("delete") => ("DeleteObjects", found(self.delete(&request.body))),
            ("DELETE", _) if has("versionId") => {
                self.remove(request.get("versionId"));
                ("DeleteObject", Answer { status: "204 No Content", headers: "", body: Vec::new() })
            }
            ("HEAD" | "GET", key) if self.keys.binary_search_by(|held| held.as_str().cmp(key)).is_ok() => {
                let headers = "etag: \"d41d8cd98f00b204e9800998ecf8427e\"\r\n\
                               last-modified: Tue, 24 Nov 2026 18:00:00 GMT\r\n";
                ("HeadObject", Answer { status: "200 OK", headers, body: Vec::new() })
            }
            ("DELETE", key) if !key.is_empty() => {
                if let Ok(key) = self.keys.binary_search_by(|held| held.as_str().cmp(key)) {
                    self.held[key] |= 1 << MARKER;
                }
                ("DeleteObject", Answer { status: "204 No Content", headers: "", body: Vec::new() })
            }
            _ => ("other", Answer { status: "501 Not Implemented", headers: "", body: Vec::new() }),
        };
        *self.calls.entry(name).or_default() += 1;
        answer
    }

    fn state(&self) -> Answer {
        let left: usize = self.held.iter().map(|held| held.count_ones() as usize).sum();
        let calls: Vec<String> =
            self.calls.iter().map(|(name, count)| format!("\"{name}\": {count}")).collect();
        found(format!(
            "{{\"left\": {left}, \"cpu_seconds\": {}, \"calls\": {{{}}}}}",
            cpu_seconds(),
            calls.join(", ")
        ))
    }

    /// A page of versions, or of the newest version of each key.
    fn list(&self, request: &Request, all: bool) -> String {
        let (prefix, delimiter) = (request.get("prefix"), request.get("delimiter"));
        let most = request.get("max-keys").parse().unwrap_or(MOST).min(MOST);
        let after =
            ["key-marker", "continuation-token", "start-after", "marker"].map(|name| request.get(name));
        let after = after.into_iter().find(|after| !after.is_empty()).unwrap_or_default();
        let mut key = self.keys.partition_point(|key| key.as_str() < after.max(prefix));
        let mut version = 0;
        if self.keys.get(key).is_some_and(|key| key == after) {
            match request.get("version-id-marker") {
                "" => key += 1,
                id => version = place(id).map_or(0, |(_, version)| version + 1),
            }
        }
        let mut passed = (!delimiter.is_empty() && after.ends_with(delimiter)).then(|| after.to_owned());
        let (mut xml, mut listed, mut next) = (String::with_capacity(400 * most), 0, None);
        'keys: while let Some(name) = self.keys.get(key).filter(|name| name.starts_with(prefix)) {
            let first = std::mem::take(&mut version);
            for version in self.told(key, all).filter(|it| *it >= first && self.is_there(key, *it)) {
                let cut = name[prefix.len()..].find(delimiter).filter(|_| !delimiter.is_empty());
                let common = cut.map(|cut| &name[..prefix.len() + cut + delimiter.len()]);
                if common.is_some() && common == passed.as_deref() {
                    continue;
                }
                if listed == most {
                    xml += "<IsTruncated>true</IsTruncated>";
                    if let Some((key, version)) = next {
                        xml += &ends(key, version, all);
                    }
                    break 'keys;
                }
                listed += 1;
                match common {
                    Some(common) => {
                        xml += &format!("<CommonPrefixes><Prefix>{common}</Prefix></CommonPrefixes>");
                        passed = Some(common.to_owned());
                        next = Some((common, String::new()));
                    }
                    None => {
                        entry(&mut xml, name, key, version, all);
                        next = Some((name, id(key, version)));
                    }
                }
            }
            key += 1;
        }
        let root = if all { "ListVersionsResult" } else { "ListBucketResult" };
        let encoding =
            if request.get("encoding-type") == "url" { "<EncodingType>url</EncodingType>" } else { "" };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\
             <Name>bucket</Name><Prefix>{prefix}</Prefix><Delimiter>{delimiter}</Delimiter>\
             <MaxKeys>{most}</MaxKeys><KeyCount>{listed}</KeyCount>{encoding}{xml}</{root}>"
        )
    }

    fn delete(&mut self, body: &str) -> String {
        let ids = body.split("<VersionId>").skip(1).filter_map(|rest| rest.split('<').next());
        let is_quiet = body.contains("<Quiet>true</Quiet>");
        let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult>".to_owned();
        for id in ids.take(MOST) {
            if let Some((key, _)) = self.remove(id).filter(|_| !is_quiet) {
                xml +=
                    &format!("<Deleted><Key>{}</Key><VersionId>{id}</VersionId></Deleted>", self.keys[key]);
            }
        }
        xml + "</DeleteResult>"
    }

    fn remove(&mut self, id: &str) -> Option<(usize, usize)> {
        let (key, version) = place(id)?;
        *self.held.get_mut(key)? &= !(1 << version);
        Some((key, version))
    }
}

fn found(body: String) -> Answer {
    Answer { status: "200 OK", headers: "", body: body.into_bytes() }
}

/// As long as S3's. It says where the version is, so that nobody has to look for it.
fn id(key: usize, version: usize) -> String {
    format!("{key:016x}{version:016x}")
}

fn place(id: &str) -> Option<(usize, usize)> {
    let (key, version) = (id.get(..16)?, id.get(16..)?);
    let (key, version) = (usize::from_str_radix(key, 16).ok()?, usize::from_str_radix(version, 16).ok()?);
    (version <= EACH).then_some((key, version))
}

fn ends(key: &str, version: String, all: bool) -> String {
    match (all, version.is_empty()) {
        (true, false) => {
            format!(
                "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
            )
        }
        (true, true) => format!("<NextKeyMarker>{key}</NextKeyMarker>"),
        (false, _) => {
            format!("<NextContinuationToken>{key}</NextContinuationToken><NextMarker>{key}</NextMarker>")
        }
    }
}

/// As S3 tells it.
fn entry(xml: &mut String, name: &str, key: usize, version: usize, all: bool) {
    use std::fmt::Write;
    let kind = match (all, version) {
        (false, _) => "Contents",
        (true, MARKER) => "DeleteMarker",
        (true, _) => "Version",
    };
    let _ = write!(xml, "<{kind}><Key>{name}</Key><LastModified>2026-11-24T18:00:00.000Z</LastModified>");
    if all {
        let is_latest = version <= 1;
        let _ = write!(xml, "<VersionId>{}</VersionId><IsLatest>{is_latest}</IsLatest>", id(key, version));
    }
    if version != MARKER {
        xml.push_str(
            "<ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag><Size>12345</Size>\
             <StorageClass>STANDARD</StorageClass>",
        );
    }
    let _ = write!(
        xml,
        "<Owner><ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID></Owner></{kind}>"
    );
}
