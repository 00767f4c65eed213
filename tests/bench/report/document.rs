//! `docs/benchmarks.md`. Pure.

use std::fmt::Write as _;

use super::{Machine, Report, table::DISTURBED, targets, verdict::Verdict};
use crate::plan::{Group, Plan, size};

/// The whole page.
pub(crate) fn document(report: &Report, plan: &Plan, machine: &Machine) -> String {
    let mut page = String::from("# Benchmarks\n\n");
    page += "Larder beside what people run today, on the same bytes, in one run on one machine.\n\
             `make bench` writes this page.\n";
    if !plan.is_whole() {
        let groups: Vec<&str> = plan.groups.iter().map(|group| group.name()).collect();
        let quick = if plan.is_quick { ", small and short: the figures mean little" } else { "" };
        let _ = writeln!(page, "\n**Not a whole run**: {}{quick}.", groups.join(", "));
    }
    page += "\n## What was to be reached\n\n";
    page += &verdicts(&targets::judge(report, plan));
    page += "\n† others kept more than 15 % of a core busy in every sample of a row that this line takes.\n";
    page += "\n## Where\n\n";
    page += &place(machine);
    page += "\n## How\n\n";
    page += &method(plan);
    for table in report.tables() {
        let _ = write!(page, "\n## {}\n\n{}\n\n{}", table.title, table.how, table.markdown());
    }
    page
}

fn verdicts(verdicts: &[Verdict]) -> String {
    let mut text = String::from("| work | reach | measured | |\n|---|---|---|---|\n");
    for Verdict { work, reach, found, is_reached, is_disturbed } in verdicts {
        let found = if found.is_empty() { "-" } else { found };
        let verdict = match is_reached {
            Some(true) => "reached",
            Some(false) => "**not reached**",
            None => "not measured",
        };
        let mark = if *is_disturbed { " †" } else { "" };
        let _ = writeln!(text, "| {work} | {reach} | {found} | {verdict}{mark} |");
    }
    text
}

fn place(machine: &Machine) -> String {
    let Machine { date, processor, memory_gib, system, file_system, congestion_control, versions } = machine;
    let mut text = format!(
        "| | |\n|---|---|\n| date | {date} |\n| machine | {processor}; {memory_gib:.0} GiB |\n| system | {system}; \
         {file_system}; TCP {congestion_control} |\n"
    );
    for (program, version) in versions {
        let _ = writeln!(text, "| {program} | {version} |");
    }
    text
}

fn method(plan: &Plan) -> String {
    let (count, each) = Plan::SMALL;
    let words = [
        ("GROUPS", Group::ALL.map(Group::name).join(", ")),
        ("LARGE", size(plan.large)),
        ("MEDIUM", size(plan.medium)),
        ("SMALL", format!("{count} of {}", size(each))),
        ("MANIFESTS", plan.manifests.to_string()),
        ("**Rounds**: ROUNDS", format!("**Rounds**: {}", plan.rounds)),
        ("DISTURBED", DISTURBED.to_string()),
    ];
    words.iter().fold(include_str!("method.md").to_owned(), |text, (word, value)| text.replace(word, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_it_is_not() {
        let (whole, part) = (Plan::new(Group::ALL.to_vec(), false), Plan::new(vec![Group::Herd], true));
        let page = |plan: &Plan| document(&Report::default(), plan, &Machine::default());
        assert!(page(&part).contains("**Not a whole run**: herd, small and short"));
        assert!(!page(&whole).contains("Not a whole run"));
        assert_eq!(page(&whole).matches("not measured").count(), 10);
        for text in
            ["one blob of 1 GiB, one of 256 MiB, 200 of 100 KB, 500 manifests", "**Rounds**: 3, ", "than 0.15 is"]
        {
            assert!(page(&whole).contains(text), "{text}");
        }
    }

    #[test]
    fn a_verdict_is_a_row() {
        let verdict = Verdict {
            work: "work".to_owned(),
            reach: "≤ 1".to_owned(),
            found: "2".to_owned(),
            is_reached: Some(false),
            is_disturbed: true,
        };
        assert!(verdicts(&[verdict]).ends_with("| work | ≤ 1 | 2 | **not reached** † |\n"));
    }
}
