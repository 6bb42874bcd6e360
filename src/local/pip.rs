//! What pip's last words mean. The one place that matches its text.

use super::files::last_lines;
use crate::error::{Error, Kind};

/// Signs, anywhere in pip's output, that it could not reach the index.
const NO_NETWORK: [&str; 8] = [
    "NewConnectionError",
    "Failed to establish a new connection",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "SSLError",
    "Connection broken",
    "Max retries exceeded",
];

/// The sentence for a pip that failed.
pub(super) fn diagnose(output: &str) -> Error {
    let (message, cause, remedy) = if output.contains("DO NOT MATCH THE HASHES") {
        (
            "a package of the local cloud is not the file that this version was made with",
            mismatch(output),
            "Unset PIP_INDEX_URL, PIP_EXTRA_INDEX_URL and PIP_FIND_LINKS, or have the mirror corrected, and \
             run the command again. Don't install such a file by hand: somebody may have tampered with it.",
        )
    } else if NO_NETWORK.iter().any(|sign| output.contains(sign)) {
        (
            "the local cloud's packages could not be fetched: no way to the package index",
            network(output),
            "Connect to the network and run the command again (once: later starts need none). Behind a proxy \
             set HTTPS_PROXY, with a certificate of its own PIP_CERT, with a mirror PIP_INDEX_URL.",
        )
    } else if output.contains("No matching distribution") {
        (
            "the package index lacks a package that the local cloud needs",
            errors(output),
            "See that the index can be reached and holds all of PyPI (PIP_INDEX_URL, PIP_NO_INDEX), and that \
             python3 is one of 3.10 to 3.14.",
        )
    } else if output.contains("No space left on device") {
        (
            "no space left for the local cloud, which takes 80 MB",
            errors(output),
            "Make room, or set KINESIS_STACK_CACHE_DIR to a directory on another disk, and run the command \
             again.",
        )
    } else {
        (
            "pip could not install the local cloud",
            errors(output),
            "Put right what pip complains of and run the command again: it starts from the beginning.",
        )
    };
    Error::new(Kind::Failed, message).because(cause).remedy(remedy)
}

/// pip's own errors, else its last lines.
fn errors(output: &str) -> String {
    let errors: Vec<&str> = output.lines().filter(|line| line.starts_with("ERROR:")).collect();
    if errors.is_empty() { last_lines(output, 3) } else { last_lines(&errors.join("\n"), 3) }
}

/// The last failed connection: pip's closing error only says that nothing was found.
fn network(output: &str) -> String {
    let sign = |line: &&str| NO_NETWORK.iter().any(|sign| line.contains(sign));
    output.lines().rfind(sign).map_or_else(|| errors(output), |line| line.trim().to_owned())
}

/// Which file, and what hash it has. The expected ones may be dozens.
fn mismatch(output: &str) -> String {
    let after = output.split("DO NOT MATCH THE HASHES").nth(1).unwrap_or_default();
    let lines = after.lines().skip(1).map(str::trim);
    let told: Vec<&str> = lines.filter(|line| line.contains(" from ") || line.starts_with("Got")).collect();
    told.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_hash_names_the_file_and_its_hash_and_warns() {
        let error = diagnose(
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have…\n\
             \x20   six==1.17.0 from https://x/six.whl:\n\
             \x20       Expected sha256 aa\n\
             \x20       Expected     or bb\n\
             \x20            Got        cc\n",
        );
        assert_eq!(error.cause.as_deref(), Some("six==1.17.0 from https://x/six.whl: Got cc"));
        assert!(error.remedies[0].contains("tampered"));
    }

    #[test]
    fn a_lost_network_is_told_from_a_missing_package() {
        let lost = diagnose(
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError(…)'\n\
             ERROR: Could not find a version that satisfies the requirement six==1.17.0\n\
             ERROR: No matching distribution found for six==1.17.0\n",
        );
        assert!(lost.message.contains("no way to the package index"), "{lost}");
        assert!(lost.cause.unwrap().contains("NewConnectionError"));
        let missing = diagnose("ERROR: No matching distribution found for six==1.17.0\n");
        assert!(missing.message.contains("lacks a package"), "{missing}");
    }

    #[test]
    fn anything_else_is_said_in_pips_own_words() {
        let error =
            diagnose("Collecting six\nERROR: the moon is in the wrong place\n\n[notice] a new release\n");
        assert_eq!(error.cause.as_deref(), Some("ERROR: the moon is in the wrong place"));
    }
}
