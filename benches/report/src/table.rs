//! Tables that are printed as their rows come.

use std::fmt::Display;

use crate::aim::{Aim, HEAD};

/// A table of which the head is printed, and each row when it comes: who waits sees how far it is.
/// Remarks and aims wait for its end.
#[derive(Debug)]
#[must_use = "what was remarked is printed at the end of the table"]
pub struct Table {
    n_columns: usize,
    remarks: Vec<String>,
    aims: Vec<Aim>,
}

impl Table {
    /// Prints a heading, and the names of the columns.
    #[expect(clippy::print_stdout, reason = "what is measured goes to who asked for it")]
    pub fn begin(title: impl Display, columns: &[&str]) -> Self {
        println!("### {title}\n");
        println!("| {} |", columns.join(" | "));
        println!("|{}", " --- |".repeat(columns.len()));
        Self { n_columns: columns.len(), remarks: Vec::new(), aims: Vec::new() }
    }

    /// Prints a row.
    ///
    /// # Panics
    /// If it has not as many cells as there are columns.
    #[expect(clippy::print_stdout, reason = "what is measured goes to who asked for it")]
    pub fn row(&self, cells: &[&dyn Display]) {
        assert_eq!(cells.len(), self.n_columns, "a cell for each column");
        let cells: Vec<String> = cells.iter().map(ToString::to_string).collect();
        println!("| {} |", cells.join(" | "));
    }

    /// Keeps a sentence for the end of the table.
    pub fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// Keeps an aim for the end of the table.
    pub fn aim(&mut self, aim: Aim) {
        self.aims.push(aim);
    }

    /// Prints what was kept.
    #[expect(clippy::print_stdout, reason = "what is measured goes to who asked for it")]
    pub fn end(self) {
        println!();
        for remark in &self.remarks {
            println!("- {remark}");
        }
        if !self.remarks.is_empty() {
            println!();
        }
        if !self.aims.is_empty() {
            println!("{HEAD}");
            self.aims.iter().for_each(|aim| println!("{aim}"));
            println!();
        }
    }
}
