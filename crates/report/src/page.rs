//! The report as one page that needs no network.

use crate::chapter::{Chapter, Leader};
use crate::collect::Evidence;
use crate::html::{
    Page, attribute, chapter as chapter_html, command, escape, folded, paragraph, part, repeat, table, verdict, words,
};
use crate::summary::{Network, Summary, summary};
use crate::timing_page;
use terminal::table::{Grid, figure};

/// The whole page.
pub fn page(evidence: &[Evidence]) -> String {
    let short = summary(evidence);
    let mut contents = vec![("summary".to_owned(), "Summary".to_owned())];
    contents.extend(short.networks.iter().map(|network| (anchor(&network.id), network.title.clone())));
    contents.push(("reproduce".to_owned(), "How to reproduce it".to_owned()));
    let mut body = chapter_html("summary", "Summary", &overview(&short));
    for chapter in evidence.iter().flatten() {
        body += &chapter_html(&anchor(&chapter.id), &chapter.title, &whole(chapter));
    }
    body += &chapter_html("reproduce", "How to reproduce it", &reproduce(&short));
    Page {
        title: "Kiln: what the networks do, and how fast".to_owned(),
        lead: format!("<p class=\"lead\">{}</p>\n", escape(&lead(evidence))),
        contents,
        body,
    }
    .render()
}

fn anchor(id: &str) -> String {
    format!("network-{}", id.replace(|character: char| !character.is_ascii_alphanumeric(), "-"))
}

/// What it was measured on, if that is the same for all.
fn lead(evidence: &[Evidence]) -> String {
    let mut machines: Vec<String> = evidence
        .iter()
        .flatten()
        .filter_map(|chapter| chapter.fingerprint.as_ref())
        .map(|fingerprint| fingerprint.machine.in_words())
        .collect();
    machines.dedup();
    match machines.as_slice() {
        [machine] => format!("Measured on {machine}."),
        [] => "Trained in Burn, exported to ONNX, validated and timed.".to_owned(),
        several => format!("Measured on {} machines; each chapter names its own.", several.len()),
    }
}

fn overview(short: &Summary) -> String {
    let mut failures: Vec<String> = short.unreadable.iter().map(ToString::to_string).collect();
    for network in &short.networks {
        failures.extend(network.failures.iter().map(|failure| format!("{}: {failure}", network.title)));
    }
    let mut html = verdict(&short.sentence(), &failures);
    html += "<div class=\"cards\">\n";
    html += &short.networks.iter().map(card).collect::<String>();
    html + "</div>\n"
}

fn card(network: &Network) -> String {
    let (class, word) = if network.passed { ("good", "Passed") } else { ("bad", "Failed") };
    let mut facts: Vec<(String, String)> =
        network.claims.iter().map(|claim| (claim.what.clone(), claim.value.clone())).collect();
    if let Some(leader) = &network.fastest {
        facts.push((format!("Fastest at batch {}", leader.batch), fastest(leader)));
    }
    if let Some(leader) = &network.most {
        facts.push((format!("Most {} a second", network.items), most(leader)));
    }
    let facts: String =
        facts.iter().map(|(what, value)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(what), escape(value))).collect();
    format!(
        "<article class=\"card {class}\">\n<h3><a href=\"#{}\">{}</a></h3>\n<p><strong class=\"{class}\">{word}</strong></p>\n\
         <dl>\n{facts}</dl>\n</article>\n",
        attribute(&anchor(&network.id)),
        escape(&network.title)
    )
}

/// `ort:cpu, 0.135 ms`.
pub(super) fn fastest(leader: &Leader) -> String {
    leader.sentence(&format!("{} ms", figure(leader.p50_ms)))
}

/// `ort:cpu, 8,719 at batch 8`.
pub(super) fn most(leader: &Leader) -> String {
    leader.sentence(&format!("{} at batch {}", figure(leader.items_per_second), leader.batch))
}

fn whole(chapter: &Chapter) -> String {
    let mut html = verdict(&chapter.criterion, &chapter.failures);
    html += &timing_page::departures(&chapter.rows);
    html += &chapter.notes.iter().map(|note| paragraph(&format!("Note: {note}."))).collect::<String>();
    let how = |heading: &str| chapter.command(heading).map(repeat).unwrap_or_default();
    let own = |heading: &str, body: &str| part(heading, &(body.to_owned() + &how(heading)));
    if !chapter.validation.is_empty() {
        let tables: String = chapter.validation.iter().map(table).collect();
        let remark = chapter.remark.as_deref().map(paragraph).unwrap_or_default();
        let details: String = chapter.details.iter().map(|grid| folded(&grid.caption, &table(grid))).collect();
        html += &own("Validation", &(tables + &remark + &details));
    }
    html += &chapter.parts.iter().map(|(heading, body)| own(heading, body)).collect::<String>();
    if !chapter.timing.is_empty() {
        html += &own("Timing", &timing_page::timing(&chapter.timing, &chapter.items));
    }
    if let Some(scenarios) = timing_page::scenarios(&chapter.scenarios, &chapter.items) {
        html += &own(timing_page::SCENARIOS, &scenarios);
    }
    if let Some(compared) = &chapter.compared {
        html += &part("Since the earlier report", &timing_page::changes(compared));
    }
    if chapter.rows.iter().any(|row| row.placement.is_some() || row.library.is_some() || row.load_ms.is_some()) {
        html += &own("Where it ran", &timing_page::placement(&chapter.rows));
    }
    if let Some(fingerprint) = &chapter.fingerprint {
        let facts = timing_page::machine(fingerprint, chapter.threads) + &timing_page::libraries(&chapter.rows);
        html += &part("Measured on", &facts);
    }
    let date = chapter.date.as_ref().map(|date| format!(", written {date}")).unwrap_or_default();
    let source = format!("From {}{date}, SHA-256 {}.", chapter.source.display(), chapter.sha256);
    html + &format!("<p class=\"soft\">{}</p>\n", escape(&source))
}

fn reproduce(short: &Summary) -> String {
    let mut html = paragraph(
        "From nothing to this page: the data and the runtime are fetched, a network is trained, exported, validated and \
         timed, and the page is written.",
    );
    html += &command("cargo xtask run");
    html += &paragraph("Figure by figure:");
    let mut rows = Vec::new();
    for network in &short.networks {
        for recipe in &network.commands {
            rows.push(vec![recipe.figure.clone(), network.title.clone(), recipe.command.clone()]);
        }
    }
    rows.push(vec!["This page".to_owned(), "all".to_owned(), "cargo xtask report".to_owned()]);
    html + &words(&Grid::new("The command for each figure", &["figure", "network", "command"], rows))
}
