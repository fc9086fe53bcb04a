//! ITMD kernels on arrays: cost follows the changed share of the input.
