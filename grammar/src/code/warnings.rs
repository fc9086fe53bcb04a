//! Warnings: what is allowed, and rarely meant (Wxxxx).

codes! {}
