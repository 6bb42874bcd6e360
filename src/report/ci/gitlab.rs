//! What GitLab understands: sections of a job's log that can be folded.
//! <https://docs.gitlab.com/ci/jobs/job_logs/#custom-collapsible-sections>

/// Begins a section, folded.
pub fn section_start(name: &str, title: &str, now: i64) -> String {
    format!(
        "\u{1b}[0Ksection_start:{now}:{name}[collapsed=true]\r\u{1b}[0K{}",
        title.replace(['\r', '\n'], " ")
    )
}

/// Ends it.
pub fn section_end(name: &str, now: i64) -> String {
    format!("\u{1b}[0Ksection_end:{now}:{name}\r\u{1b}[0K")
}
