//! Where results go: to standard output, into a page between its markers, and into the table of goals.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use crate::goals::{Aim, GOALS, Goal};
use crate::table::{median, spread};
use crate::{Failure, say};

/// What a row has measured, a number for each round.
pub(crate) struct Figure {
    pub(crate) shown: String,
    pub(crate) rounds: Vec<f64>,
    pub(crate) is_more_better: bool,
}

/// The results of a run.
#[derive(Default)]
pub(crate) struct Report {
    page: Option<PathBuf>,
    /// By the names of the table and of the row.
    figures: HashMap<(&'static str, &'static str), Figure>,
}

impl Report {
    pub(crate) fn new(page: Option<PathBuf>) -> Report {
        Report {
            page,
            ..Report::default()
        }
    }

    /// Keeps what the goals are measured by.
    pub(crate) fn note(&mut self, table: &'static str, row: &'static str, figure: Figure) {
        self.figures.insert((table, row), figure);
    }

    /// A table, or what else stands between the markers of this name.
    pub(crate) fn section(&self, name: &str, text: &str) -> Result<(), Failure> {
        say(&format!("\n### {name}\n\n{text}"))?;
        let Some(page) = &self.page else {
            return Ok(());
        };
        let (begin, end) = (format!("<!-- measured: {name} -->"), "<!-- end -->");
        let old = fs::read_to_string(page)?;
        let found = old.split_once(&begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(end)?;
            Some(format!("{before}{begin}\n\n{text}\n{end}{after}"))
        });
        let missing = || format!("{} has no place for {name}: {begin}", page.display());
        Ok(fs::write(page, found.ok_or_else(missing)?)?)
    }

    /// A plot, in the folder that is called as the page is.
    pub(crate) fn plot(
        &self,
        name: &str,
        draw: impl FnOnce() -> Result<String, Failure>,
    ) -> Result<(), Failure> {
        let Some(page) = &self.page else {
            return Ok(());
        };
        let folder = page.with_extension("");
        fs::create_dir_all(&folder)?;
        Ok(fs::write(folder.join(name).with_extension("svg"), draw()?)?)
    }

    /// The goals that this run says something about; into the page only where it is all of them.
    pub(crate) fn goals(&self, is_whole: bool) -> Result<(), Failure> {
        let rows: String = GOALS.iter().filter_map(|goal| self.goal(goal)).collect();
        if rows.is_empty() {
            return Ok(());
        }
        let head = "| goal | this | beside it | ratio (least to most) | aim | |\n|---|---:|---:|---:|---:|---|\n";
        let text = format!("{head}{rows}");
        match is_whole {
            true => self.section("goals", &text),
            false => say(&format!("\n### goals\n\n{text}")),
        }
    }

    fn goal(&self, goal: &Goal) -> Option<String> {
        let figure = |row| self.figures.get(&(goal.table, row));
        let ours = figure(goal.ours)?;
        let theirs: Vec<&Figure> = goal.theirs.iter().filter_map(|row| figure(row)).collect();
        if theirs.len() < goal.theirs.len() {
            return Some(format!(
                "| {} | {} | | | | not measured |\n",
                goal.what, ours.shown
            ));
        }
        let ratios: Vec<f64> = (0..ours.rounds.len())
            .filter_map(|round| ours.beside(&theirs, round))
            // How many times as much, or as good.
            .map(|ratio| match (goal.aim, ours.is_more_better) {
                (Aim::AtLeast(_), false) => 1.0 / ratio,
                _ => ratio,
            })
            .collect();
        let (aim, is_met) = match goal.aim {
            Aim::AtMost(most) => (format!("at most {most}"), median(ratios.clone()) <= most),
            Aim::AtLeast(least) => (format!("at least {least}"), median(ratios.clone()) >= least),
        };
        let shown: Vec<&str> = theirs.iter().map(|one| one.shown.as_str()).collect();
        Some(format!(
            "| {} | {} | {} | {} | {aim} | {} |\n",
            goal.what,
            ours.shown,
            shown.join(", "),
            spread(&ratios),
            if is_met { "met" } else { "not met" }
        ))
    }
}

impl Figure {
    /// In this round, the ratio to the best of the others; to 1 where there is none.
    fn beside(&self, others: &[&Figure], round: usize) -> Option<f64> {
        let better = if self.is_more_better {
            f64::max
        } else {
            f64::min
        };
        let others: Option<Vec<f64>> = others
            .iter()
            .map(|one| one.rounds.get(round).copied())
            .collect();
        let best = others?.into_iter().reduce(better).unwrap_or(1.0);
        Some(self.rounds.get(round)? / best)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_takes_the_place_of_the_one_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = folder.path().join("page.md");
        let text = "a\n<!-- measured: idle -->\nold\n<!-- end -->\nb\n<!-- measured: x -->\n<!-- end -->\n";
        fs::write(&page, text).expect("the page is written");
        let report = Report::new(Some(page.clone()));
        report.section("idle", "new\n").expect("there is a place");
        let now = fs::read_to_string(&page).expect("the page is there");
        assert_eq!(
            now,
            "a\n<!-- measured: idle -->\n\nnew\n\n<!-- end -->\nb\n<!-- measured: x -->\n<!-- end -->\n"
        );
        let missing = report.section("classic", "new\n").expect_err("no place");
        assert!(missing.to_string().contains("no place for classic"));
    }

    #[test]
    fn a_goal_is_set_against_the_best_of_the_others_in_each_round() {
        let figure = |rounds: &[f64], is_more_better| Figure {
            shown: "shown".to_owned(),
            rounds: rounds.to_vec(),
            is_more_better,
        };
        let mut report = Report::default();
        report.note("pipe-1024", "rust-rust", figure(&[6.0, 8.0, 9.0], true));
        report.note("pipe-1024", "tarpc", figure(&[2.0, 4.0, 1.0], true));
        report.note("pipe-1024", "tarpc-one", figure(&[1.0, 1.0, 3.0], true));
        report.note("null-same", "python-rust", figure(&[2.0], false));
        report.note("null-same", "python-python", figure(&[5.0], false));
        let of = |table, ours| {
            let goal = GOALS
                .iter()
                .find(|goal| goal.table == table && goal.ours == ours);
            report
                .goal(goal.expect("the goal"))
                .expect("it was measured")
        };
        let pipelined = of("pipe-1024", "rust-rust");
        assert!(
            pipelined.contains("| **3.00** (2.00 to 3.00) | at least 2.5 | met |"),
            "{pipelined}"
        );
        let python = of("null-same", "python-rust");
        assert!(
            python.contains("| **2.50** | at least 2.2 | met |"),
            "{python}"
        );
    }
}
