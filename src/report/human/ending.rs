//! The last lines of a command that ended well.

use super::super::fit::Page;
use super::super::{Paint, Table, words};
use crate::event::{Done, NextStep, Reckoning};
use console::measure_text_width;
use std::collections::BTreeMap;

/// What somebody would type next. Where one has no room beside its command, all stand below theirs.
pub fn next(steps: &[NextStep], page: Page) -> String {
    let mut table = Table::new(2);
    for step in steps {
        table.row([step.command.clone(), page.paint.dim(&step.does)]);
    }
    let text = table.render();
    if text.lines().all(|line| page.holds(line)) {
        return text;
    }
    steps.iter().map(|step| format!("  {}\n      {}\n", step.command, page.paint.dim(&step.does))).collect()
}

/// The stack's outputs. Where a value has no room beside its name, it stands below it, to be copied as a whole.
pub fn outputs(outputs: &BTreeMap<String, String>, paint: Paint, width: Option<usize>) -> String {
    let names = outputs.keys().map(String::len).max().unwrap_or_default();
    let mut text = String::new();
    for (name, value) in outputs {
        let column = " ".repeat(names - name.len() + "  ".len());
        let is_wide = width.is_some_and(|width| names + "  ".len() + measure_text_width(value) > width);
        let between = if is_wide { "\n  " } else { &column };
        text.push_str(&format!("{}{between}{value}\n", paint.strong(name)));
    }
    text
}

/// The end of `down`: what is known to be gone, and what stays on purpose.
fn torn_down(done: &Done, changed: bool, stack: &str, seconds: &str, paint: Paint) -> String {
    let good = paint.good("✓");
    let kept = done.kept.join(", ");
    match (changed, &done.checked) {
        // Somebody has brought it up again meanwhile.
        (_, None) if changed => format!("{good} {stack} was deleted{seconds}"),
        (true, asked) => {
            let asked = asked.as_ref().map_or(0, Vec::len);
            let asked = words::count(u64::try_from(asked).unwrap_or_default(), "kind");
            let kept = if kept.is_empty() { kept } else { format!("; {kept} stays") };
            format!("{good} {stack} is gone: {asked} of leftovers looked for, none found{kept}{seconds}")
        }
        (false, _) if kept.is_empty() => format!("{good} {stack} is not there, and nothing is left of it"),
        (false, _) => format!("{good} {stack} is not there; {kept} stays"),
    }
}

/// The line that says that a command has reached its end.
pub fn ending(done: &Done, paint: Paint) -> Option<String> {
    let stack = done.stack.as_deref().unwrap_or_default();
    let seconds = done.seconds.map(|seconds| format!(" ({})", words::time(seconds))).unwrap_or_default();
    let good = paint.good("✓");
    match (done.command.as_str(), done.changed) {
        ("up", Some(true)) => Some(format!("{good} {stack} is up{seconds}")),
        ("down", Some(changed)) => Some(torn_down(done, changed, stack, &seconds, paint)),
        ("down", None) => None,
        ("smoke", _) => Some(format!("{good} {stack} works: each leg that was tested is proven{seconds}")),
        ("reap", _) => done.reckoning.map(|it| reckoned(it, &seconds, paint)),
        ("reaper up", Some(true)) => Some(format!("{good} {stack} is up{seconds}")),
        ("reaper down", Some(true)) => Some(format!("{good} {stack} is gone{seconds}")),
        ("reaper down", _) => Some(format!("{good} {stack} is not there")),
        ("local stop", Some(false)) => Some("The local cloud was not running".to_owned()),
        ("produce", _) => {
            done.produced.as_ref().map(|produced| format!("{good} {}", words::produced_in_all(produced)))
        }
        ("consume", _) => {
            done.consumed.as_ref().map(|consumed| format!("{good} {}", words::consumed_so_far(consumed)))
        }
        _ => None,
    }
}

/// What became of the environments whose time was over.
fn reckoned(it: Reckoning, seconds: &str, paint: Paint) -> String {
    let alone = match it.left_alone {
        0 => String::new(),
        left => format!(", {} left alone", words::count(left as u64, "environment")),
    };
    let alone = match it.kept {
        0 => alone,
        kept => format!("{alone}, {} kept on purpose", words::count(kept as u64, "bucket")),
    };
    match (it.dry_run, it.reaped) {
        (true, _) if it.due > 0 => "Nothing was done: that was a dry run".to_owned(),
        (_, 0) if it.due == 0 => {
            let nothing = if it.left_alone == 0 { "nothing whose time is over" } else { "nothing to reap" };
            format!("{} There is {nothing}{alone}", paint.good("✓"))
        }
        (_, n) => {
            format!("{} {} reaped{alone}{seconds}", paint.good("✓"), words::count(n as u64, "environment"))
        }
    }
}
