//! The edge: websockets and requests in HTTP, identity, limits, outboxes.
//!
//! Bytes from the network are admitted here or not at all. What is admitted goes to the bus as
//! frames of a known session; what the bus answers waits in a bounded outbox for its client.
//!
//! **Invariant:** the shield never sees a plan, and reads no payload but the `hello`. What requests
//! ask for is another room's.

mod settings;
mod token;
mod port;
mod meter;
mod http;
mod upgrade;
mod awake;
mod session;
mod listener;

pub use http::{Asked, Method, Reply, Request, unauthenticated};
pub use listener::{ListenError, Listener, Rooms, ShutdownHandle};
pub use port::{Bell, OUTBOX_FRAMES_MAX, TO_BUS_MAX, ToBus, ToClient};
pub use settings::Settings;
pub use token::{
    AUDIENCE, ISSUER, Identity, TOKEN_BYTES_MAX, TokenError, TokenRequest, TokenSecret,
    install_crypto,
};
