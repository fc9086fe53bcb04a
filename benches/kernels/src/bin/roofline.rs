//! Prints what this machine could do at most: the lines beside which all figures of kernels stand.

use arqon_bench_report::Table;
use arqon_kernel_benches::{reads, roofline};

fn main() {
    roofline().print();
    let columns = ["within MiB", "ns each", "ns where one waits for another"];
    let table = Table::begin("roofline: random reads of single words, 1 thread", &columns);
    for mib in [4, 16, 64] {
        let reads = reads(mib);
        table.row(&[
            &mib,
            &format_args!("{:.1}", reads.apart * 1e9),
            &format_args!("{:.0}", reads.chained * 1e9),
        ]);
    }
    table.end();
}
