//! `cargo xtask tpch`: the eight TPC-H tables as CSV with headers and the standard column names.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tpchgen::csv;
use tpchgen::generators;

use crate::step::say;

/// Where to write and how much.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Scale factor: 1 is about 8.7 million rows.
    #[arg(long, default_value_t = 0.01)]
    scale: f64,
    /// Folder for `customer.csv`, `lineitem.csv` and so on; made when it is missing.
    folder: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let Arguments { scale, folder } = arguments;
    if !(scale.is_finite() && *scale > 0.0) {
        return Err(format!("scale {scale} is not a positive number"));
    }
    write_tables(*scale, folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(true)
}

/// Writes all tables of a scale; the same scale gives the same bytes.
pub(crate) fn write_tables(scale: f64, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let table = |name| Table { path: folder.join(format!("{name}.csv")), name };
    table("region").write(
        csv::RegionCsv::header(),
        generators::RegionGenerator::new(scale, 1, 1).iter().map(csv::RegionCsv::new),
    )?;
    table("nation").write(
        csv::NationCsv::header(),
        generators::NationGenerator::new(scale, 1, 1).iter().map(csv::NationCsv::new),
    )?;
    table("part").write(
        csv::PartCsv::header(),
        generators::PartGenerator::new(scale, 1, 1).iter().map(csv::PartCsv::new),
    )?;
    table("supplier").write(
        csv::SupplierCsv::header(),
        generators::SupplierGenerator::new(scale, 1, 1).iter().map(csv::SupplierCsv::new),
    )?;
    table("partsupp").write(
        csv::PartSuppCsv::header(),
        generators::PartSuppGenerator::new(scale, 1, 1).iter().map(csv::PartSuppCsv::new),
    )?;
    table("customer").write(
        csv::CustomerCsv::header(),
        generators::CustomerGenerator::new(scale, 1, 1).iter().map(csv::CustomerCsv::new),
    )?;
    table("orders").write(
        csv::OrderCsv::header(),
        generators::OrderGenerator::new(scale, 1, 1).iter().map(csv::OrderCsv::new),
    )?;
    table("lineitem").write(
        csv::LineItemCsv::header(),
        generators::LineItemGenerator::new(scale, 1, 1).iter().map(csv::LineItemCsv::new),
    )
}

struct Table {
    path: PathBuf,
    name: &'static str,
}

impl Table {
    fn write(&self, header: &str, rows: impl Iterator<Item = impl Display>) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(&self.path)?);
        writeln!(file, "{header}")?;
        let mut n_rows = 0_u64;
        for row in rows {
            writeln!(file, "{row}")?;
            n_rows += 1;
        }
        file.flush()?;
        say(&format!("{:<10} {n_rows:>9} rows", self.name));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_have_their_header_and_rows() {
        let folder = std::env::temp_dir().join(format!("arqon-tpch-{}", std::process::id()));
        write_tables(0.001, &folder).unwrap();
        let lines = |name: &str| {
            let text = fs::read_to_string(folder.join(name)).unwrap();
            let header = text.lines().next().unwrap_or_default().to_owned();
            (header, text.lines().count() - 1)
        };
        let region = ("r_regionkey,r_name,r_comment".to_owned(), 5);
        assert_eq!(lines("region.csv"), region);
        assert_eq!(lines("nation.csv").1, 25);
        assert_eq!(lines("customer.csv").1, 150);
        assert_eq!(lines("orders.csv").1, 1500);
        assert!(lines("lineitem.csv").0.starts_with("l_orderkey,l_partkey,l_suppkey,"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
