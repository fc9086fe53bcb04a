//! The door of the bus: one frame of a session in, frames of any session out.

use arqon_proto::{Control, Envelope, ErrorCode, Kind, Payload};
use bytes::Bytes;
use uuid::Uuid;

use crate::machine::{Bus, Output, SessionId};
use crate::refusal::Refusal;

impl Bus {
    /// Reads one frame of a session and does what it asks.
    ///
    /// A frame that cannot be read is answered; after too many of them the session is closed.
    pub fn handle(&mut self, session: SessionId, frame: &Bytes, now: i64) -> Vec<Output> {
        self.now = now;
        let Some(state) = self.sessions.get_mut(&session) else { return Vec::new() };
        match Envelope::decode(frame, state.encoding) {
            Ok(envelope) => self.dispatch(session, envelope),
            Err(fault) => {
                state.n_faults += 1;
                let has_many = state.n_faults > self.limits.faults_max;
                self.refuse(session, fault.id, Refusal::new(fault.code, fault.message));
                if has_many {
                    self.close_with(session, 4400, "too many unreadable frames");
                }
            }
        }
        self.take_outputs()
    }

    fn dispatch(&mut self, session: SessionId, envelope: Envelope) {
        let id = envelope.id;
        match (envelope.kind, envelope.payload) {
            (Kind::Control, Payload::Control(control)) => self.control(session, id, control),
            (Kind::Event, payload) => self.publish(session, &Envelope { payload, ..envelope }),
            (
                Kind::Job
                | Kind::JobResult
                | Kind::StreamStart
                | Kind::StreamChunk
                | Kind::StreamEnd,
                _,
            ) => {
                let message = "this server runs circuits; it takes no jobs and no streams";
                self.refuse(session, id, Refusal::new(ErrorCode::Unavailable, message));
            }
            (Kind::Control, _) => {
                let message = "a control frame says one of hello, subscribe, credit, …";
                self.refuse(session, id, Refusal::new(ErrorCode::SchemaMismatch, message));
            }
        }
    }

    fn control(&mut self, session: SessionId, id: Option<Uuid>, control: Control) {
        match control {
            Control::Batch(messages) => self.publish_batch(session, id, &messages),
            Control::Subscribe(request) => self.subscribe(session, id, &request),
            Control::Unsubscribe(request) => {
                let state = self.sessions.get_mut(&session);
                let ended = state.and_then(|state| state.subscriptions.remove(&request.sub));
                if ended.is_none() {
                    self.refuse(session, id, unknown_subscription(request.sub));
                }
            }
            Control::Credit(credit) => {
                let state = self.sessions.get_mut(&session);
                let Some(subscription) =
                    state.and_then(|state| state.subscriptions.get_mut(&credit.sub))
                else {
                    self.refuse(session, id, unknown_subscription(credit.sub));
                    return;
                };
                if let Some(left) = &mut subscription.credit {
                    *left = left.saturating_add(i64::try_from(credit.add).unwrap_or(i64::MAX));
                }
                self.pump(session);
            }
            Control::Hello(_) => {
                let message = "the session has begun; a hello comes once, at first";
                self.refuse(session, id, Refusal::new(ErrorCode::Conflict, message));
            }
            Control::Welcome(_)
            | Control::Ack(_)
            | Control::Subscribed(_)
            | Control::Progress(_)
            | Control::Gap(_)
            | Control::Error(_) => {
                let message = "only the server says this";
                self.refuse(session, id, Refusal::new(ErrorCode::SchemaMismatch, message));
            }
        }
    }
}

fn unknown_subscription(sub: u64) -> Refusal {
    // One that asked for a snapshot has ended by itself.
    Refusal::new(ErrorCode::Gone, format!("no subscription has number {sub}"))
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "order_tests.rs"]
mod order_tests;
