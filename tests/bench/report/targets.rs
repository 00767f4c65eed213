//! What Larder is to reach, and whether it does, by the tables. Pure.

use super::{
    Report, Table, number,
    verdict::{Line, Place, Verdict},
};
use crate::{
    cases::{cold, herd, many, requests, warm},
    plan::Plan,
    servers::Kind::{self, Agent, Hub, Nginx},
    units::fraction,
};

/// All lines, in the order of the issue.
pub(crate) fn judge(report: &Report, plan: &Plan) -> Vec<Verdict> {
    let mut all = vec![warm_blob(report), memory_of_readers(report)];
    all.extend(small_requests(report));
    all.extend(cold_blob(report, plan));
    all.extend([a_herd(report), memory_of_the_idle(report, plan), start(report, plan)]);
    all
}

fn short(server: Kind) -> &'static str {
    match server {
        Hub => "hub ",
        Agent => "agent ",
        other => other.name(),
    }
}

fn warm_blob(report: &Report) -> Verdict {
    let mut line = Line::new(
        "warm 1 GiB blob, hub and agent, 1/4/16/64 clients",
        "≥ 1.0 × nginx's throughput, ≤ 1.0 × its CPU per GB",
    );
    for server in [Hub, Agent] {
        for (title, name) in [(warm::SPEED, "throughput "), (warm::CPU, "CPU ")] {
            for (index, clients) in warm::CLIENTS.map(|clients| clients.to_string()).iter().enumerate() {
                let before = if index == 0 { [short(server), name].concat() } else { SAME.to_owned() };
                let figure = Place::new(report.warm.as_ref(), clients, server).relation(title);
                let holds = |ratio: f64| if title == warm::SPEED { ratio >= 1.0 } else { ratio <= 1.0 };
                line = line.takes(figure, (&before, 2, ""), holds);
            }
        }
    }
    let mut verdict = line.done();
    verdict.found = verdict.found.replace(&format!("; {SAME}"), " / ");
    verdict
}

/// Stands before a figure that goes on where the last one ended.
const SAME: &str = "…";

fn memory_of_readers(report: &Report) -> Verdict {
    let mut line = Line::new("peak RSS with 64 readers, warm or herd", "≤ 40 MiB");
    for (table, title, name) in [(&report.warm, warm::RSS, "warm "), (&report.herd, herd::RSS, "herd ")] {
        for server in [Hub, Agent] {
            let figure = Place::new(table.as_ref(), "64", server).median(title);
            line = line.takes(figure, (&[name, short(server)].concat(), 1, " MiB"), |peak| peak <= 40.0);
        }
    }
    line.done()
}

fn small_requests(report: &Report) -> [Verdict; 3] {
    let both = |line: Line, takes: &dyn Fn(Line, Kind) -> Line| [Hub, Agent].into_iter().fold(line, takes).done();
    let ratio = |line: Line, table: Option<&Table>, case: &str| {
        both(line, &|line, server| {
            let figure = Place::new(table, case, server).relation(requests::RATE);
            line.takes(figure, (short(server), 2, " ×"), |ratio| ratio >= 0.8)
        })
    };
    let manifests = report.manifests.as_ref();
    let by = |by| requests::manifest_case(by, 32);
    let digest = Line::new("GET manifest by digest, 32 connections", "≥ 0.8 × nginx's requests/s");
    let tag = Line::new(
        "GET manifest by tag within its freshness, 32 connections",
        "≥ 20,000 /s or 0.5 × nginx, whichever is lower",
    );
    let small = Line::new("GET 100 KB blob, 32 connections", "≥ 0.8 × nginx");
    let by_tag = by("tag");
    let of_nginx = Place::new(manifests, &by_tag, Nginx).median(requests::RATE).value;
    let bar = of_nginx.map_or(20_000.0, |rate| 20_000.0_f64.min(rate * 0.5));
    [
        ratio(digest, manifests, &by("digest")),
        both(tag, &|line, server| {
            let figure = Place::new(manifests, &by_tag, server).median(requests::RATE);
            line.takes(figure, (short(server), 0, " /s"), |rate| rate >= bar)
        }),
        ratio(small, report.small.as_ref(), "32"),
    ]
}

fn cold_blob(report: &Report, plan: &Plan) -> [Verdict; 2] {
    let [_, (link, bytes), (none, large)] = cold::links(plan);
    let mut capped = Line::new(
        "cold 1 GiB at 200 MB/s, through the hub; through agent and hub",
        "≤ 1.02 ×; ≤ 1.04 × the direct download; first byte ≤ 10 ms later",
    );
    let case = cold::case(link, bytes);
    for (server, most) in [(Hub, 1.02), (Agent, 1.04)] {
        let place = Place::new(report.cold.as_ref(), &case, server);
        capped = capped.takes(place.relation(cold::SECONDS), (short(server), 3, " ×"), |ratio| ratio <= most).takes(
            place.relation(cold::FIRST),
            ("first byte ", 1, " ms later"),
            |later| later <= 10.0,
        );
    }
    let case = cold::case(none, large);
    let place = Place::new(report.cold.as_ref(), &case, Hub);
    let free = Line::new("cold 1 GiB without a limit, through the hub", "≤ 1.6 × direct, ≤ 1.5 CPU-s/GB")
        .takes(place.relation(cold::SECONDS), ("", 2, " ×"), |ratio| ratio <= 1.6)
        .takes(place.median(cold::CPU), ("", 2, " CPU-s/GB"), |cpu| cpu <= 1.5);
    [capped.done(), free.done()]
}

fn a_herd(report: &Report) -> Verdict {
    let mut line = Line::new(
        "herd of 32 on a cold 256 MiB blob at 125 MB/s",
        "1 upstream GET; all done ≤ 2.4 s; median first byte ≤ 50 ms",
    );
    for server in [Hub, Agent] {
        let place = Place::new(report.herd.as_ref(), "32", server);
        line = line
            // Once is not a matter of speed: not even one herd may ask twice.
            .takes(place.most(herd::GETS), (short(server), 0, " GET"), |gets| gets == 1.0)
            .takes(place.median(herd::SECONDS), ("", 2, " s"), |seconds| seconds <= 2.4)
            .takes(place.median(herd::FIRST), ("", 1, " ms"), |first| first <= 50.0);
    }
    line.done()
}

fn memory_of_the_idle(report: &Report, plan: &Plan) -> Verdict {
    let mut line = Line::new("idle RSS of an agent; of a hub; with 100,000 blobs indexed", "≤ 20; ≤ 30; ≤ 60 MiB");
    for (server, most) in [(Agent, 20.0), (Hub, 30.0)] {
        let figure = Place::new(report.idle.as_ref(), many::JUST_STARTED, server).median(many::RSS);
        line = line.takes(figure, (short(server), 1, " MiB"), |rss| rss <= most);
    }
    let usual = plan.many.first().copied().unwrap_or_default();
    let case = many::case(many::Start::Again, usual);
    let figure = Place::new(report.many.as_ref(), &case, Hub).median(many::RSS);
    let before = format!("{} blobs ", number(fraction(usual), 0));
    let line = line.takes(figure, (&before, 1, " MiB"), |rss| rss <= 60.0);
    if usual < 100_000 { line.missing().done() } else { line.done() }
}

fn start(report: &Report, plan: &Plan) -> Verdict {
    let most = plan.many.last().copied().unwrap_or_default();
    let figure = |what, title| Place::new(report.many.as_ref(), &many::case(what, most), Hub).median(title);
    let before = format!("{} blobs ", number(fraction(most), 0));
    let mut line = Line::new(
        "start to ready with 1,000,000 blobs on disk",
        "≤ 5 s (rebuild of a lost index: state it)",
    )
    .takes(figure(many::Start::Again, many::START), (&before, 2, " s"), |seconds| seconds <= 5.0);
    for (title, name) in [(many::START, "index lost "), (many::KNOWN, "and all known again ")] {
        line = line.mentions(figure(many::Start::IndexLost, title), (name, 2, " s"));
    }
    // A smaller folder says nothing about the bar.
    if most < 1_000_000 { line.missing().done() } else { line.done() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::Group,
        report::{Column, Relation, Sample},
    };

    fn plan() -> Plan {
        Plan::new(Group::ALL.to_vec(), false)
    }

    #[test]
    fn what_was_not_measured_is_neither_reached_nor_missed() {
        let verdicts = judge(&Report::default(), &plan());
        assert_eq!(verdicts.len(), 10);
        assert!(verdicts.iter().all(|verdict| verdict.is_reached.is_none() && verdict.found.is_empty()));
    }

    #[test]
    fn every_figure_of_a_line_has_to_hold() {
        const COLUMNS: &[Column] = &[
            Column::new(warm::SPEED, 2, Relation::Ratio),
            Column::new(warm::CPU, 2, Relation::Ratio),
            Column::new(warm::RSS, 2, Relation::None),
        ];
        let verdicts = |slow: f64, others: f64| {
            let mut table = Table::new("", "", "clients", Nginx, COLUMNS);
            for clients in warm::CLIENTS.map(|clients| clients.to_string()) {
                for (server, speed) in [(Nginx, 2.0), (Hub, 3.0), (Agent, if clients == "16" { slow } else { 3.0 })] {
                    table.take(&clients, server, Sample { figures: vec![speed, 0.5, 30.0], others });
                }
            }
            judge(&Report { warm: Some(table), ..Report::default() }, &plan())
        };
        let fast = &verdicts(2.0, 0.0)[0];
        assert_eq!((fast.is_reached, fast.is_disturbed), (Some(true), false));
        assert!(fast.found.contains("hub throughput 1.50 / 1.50 / 1.50 / 1.50; hub CPU 1.00 /"), "{}", fast.found);
        assert!(fast.found.contains("agent throughput 1.50 / 1.50 / 1.00 / 1.50"), "{}", fast.found);
        let slow = &verdicts(1.9, 0.5)[0];
        assert_eq!((slow.is_reached, slow.is_disturbed), (Some(false), true));
        // Of the second line one half is not there.
        assert_eq!(verdicts(2.0, 0.0)[1].is_reached, None);
    }

    #[test]
    fn one_herd_that_asked_twice_is_a_miss() {
        const COLUMNS: &[Column] = &[
            Column::new(herd::GETS, 0, Relation::None),
            Column::new(herd::SECONDS, 2, Relation::None),
            Column::new(herd::FIRST, 1, Relation::None),
        ];
        let verdict = |gets: [f64; 3]| {
            let mut table = Table::new("", "", "clients", Nginx, COLUMNS);
            for server in [Hub, Agent] {
                for gets in gets {
                    table.take("32", server, Sample { figures: vec![gets, 2.0, 10.0], others: 0.0 });
                }
            }
            a_herd(&Report { herd: Some(table), ..Report::default() }).is_reached
        };
        assert_eq!(verdict([1.0, 1.0, 1.0]), Some(true));
        assert_eq!(verdict([1.0, 1.0, 2.0]), Some(false));
        assert_eq!(verdict([0.0, 0.0, 0.0]), Some(false), "it was not cold");
    }
}
