//! Prints what this machine could do at most: the lines beside which all figures of kernels stand.

use arqon_kernel_benches::{reads, roofline};

fn main() {
    roofline().print();
    for mib in [4, 16, 64] {
        reads(mib).print();
    }
}
