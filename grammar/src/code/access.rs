//! Access and quotas (E06xx).

codes! {}
