//! Topology: no way past the bus (E04xx).

codes! {}
