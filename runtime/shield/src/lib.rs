//! The edge: websockets, identity, limits, outboxes.
