//! Prints what this machine could do at most: the line beside which all figures of kernels stand.

use arqon_kernel_benches::roofline;

fn main() {
    roofline().print();
}
