//! Dataflow plan to timely and differential dataflow.
