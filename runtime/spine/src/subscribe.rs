//! How a subscription begins: what it may see, from where, and with what credit.

use std::collections::VecDeque;
use std::sync::Arc;

use arqon_proto::{As, Begin, Control, ErrorCode, Subscribe, Subscribed};
use arqon_types::Epoch;
use uuid::Uuid;

use crate::grant::Action;
use crate::log::{Replay, Run};
use crate::machine::{Bus, SessionId};
use crate::pattern::Pattern;
use crate::refusal::Refusal;
use crate::subscription::{Feed, Filter, Pending, Subscription};
use crate::topic::{Happening, Topic};

impl Bus {
    pub(crate) fn subscribe(&mut self, session: SessionId, id: Option<Uuid>, request: &Subscribe) {
        match self.plan_subscription(session, request) {
            Err(refusal) => self.refuse(session, id, refusal),
            Ok(mut subscription) => {
                subscription.asked = id;
                let epoch = self.applied.0;
                self.tell(session, Control::Subscribed(Subscribed { sub: request.sub, epoch }));
                if let Some(state) = self.sessions.get_mut(&session) {
                    state.subscriptions.insert(request.sub, subscription);
                    self.pump(session);
                }
            }
        }
    }

    fn plan_subscription(
        &self,
        session: SessionId,
        request: &Subscribe,
    ) -> Result<Subscription, Refusal> {
        let Some(state) = self.sessions.get(&session) else {
            return Err(Refusal::new(ErrorCode::Unauthenticated, "the session is closed"));
        };
        if state.subscriptions.contains_key(&request.sub) {
            let taken = format!("subscription {} is open already", request.sub);
            return Err(Refusal::new(ErrorCode::Conflict, taken).help("choose another number"));
        }
        if state.subscriptions.len() >= self.limits.subscriptions_max {
            let full =
                format!("a session has at most {} subscriptions", self.limits.subscriptions_max);
            return Err(Refusal::new(ErrorCode::Quota, full));
        }
        let mut feeds = Vec::new();
        for at in self.visible(session, &request.topic)? {
            feeds.push(self.plan_feed(at, request)?);
        }
        Ok(Subscription {
            asked: None,
            request: request.clone(),
            form: request.form,
            feeds,
            begun: VecDeque::new(),
            credit: request.credit.map(|credit| i64::try_from(credit).unwrap_or(i64::MAX)),
            progress: 0,
        })
    }

    /// The topics that a name or pattern stands for, as far as the session may see them.
    fn visible(&self, session: SessionId, text: &str) -> Result<Vec<usize>, Refusal> {
        let forbidden = || {
            Refusal::new(ErrorCode::Forbidden, format!("may not subscribe to `{text:.128}`"))
                .help("ask for a grant can_subscribe: of the topic; it must have edge: out or both")
        };
        let pattern = Pattern::parse(text).map_err(|_| forbidden())?;
        let principal = &self.sessions[&session].principal;
        if let Some(name) = pattern.exact() {
            if !principal.may(Action::Subscribe, &name) {
                return Err(forbidden());
            }
            let Some(at) = self.topics.place(&name) else {
                let unknown = format!("no topic is called `{text}`");
                return Err(Refusal::new(ErrorCode::UnknownTopic, unknown));
            };
            return if self.topics[at].spec.edge.emits() { Ok(vec![at]) } else { Err(forbidden()) };
        }
        let visible: Vec<usize> = self
            .topics
            .iter()
            .filter(|(_, Topic { spec, .. })| {
                spec.edge.emits()
                    && pattern.means(&spec.name)
                    && principal.may(Action::Subscribe, &spec.name)
            })
            .map(|(at, _)| at)
            .collect();
        if visible.is_empty() { Err(forbidden()) } else { Ok(visible) }
    }

    pub(crate) fn plan_feed(&self, at: usize, request: &Subscribe) -> Result<Feed, Refusal> {
        let topic = &self.topics[at];
        let name = &topic.spec.name;
        if let Some(reason) = &topic.stopped {
            return Err(Refusal::new(ErrorCode::Unavailable, reason.clone()));
        }
        let filter = request.filter.as_deref().map(|text| self.filter(topic, text)).transpose()?;
        if request.form == As::Upserts && topic.spec.key.is_empty() {
            let message = format!("topic `{name}` has no key, so it has no upserts");
            return Err(Refusal::new(ErrorCode::NoKey, message).help("subscribe as deltas"));
        }
        if topic.is_events() {
            if request.form != As::Deltas {
                let message = format!("topic `{name}` carries events and keeps no state");
                return Err(Refusal::new(ErrorCode::Unavailable, message)
                    .help("subscribe as deltas: every event comes as itself"));
            }
            return self.plan_events(at, request, filter);
        }
        self.plan_changes(at, request, filter)
    }

    fn filter(&self, topic: &Topic, text: &str) -> Result<Filter, Refusal> {
        if text.len() > self.limits.filter_chars_max {
            let message = format!("a filter has at most {} bytes", self.limits.filter_chars_max);
            return Err(Refusal::new(ErrorCode::TooLarge, message));
        }
        (self.filters)(text, &topic.spec.schema).map_err(|message| {
            Refusal::new(ErrorCode::SchemaMismatch, format!("`where`: {message}"))
        })
    }

    fn plan_changes(
        &self,
        at: usize,
        request: &Subscribe,
        filter: Option<Filter>,
    ) -> Result<Feed, Refusal> {
        let topic = &self.topics[at];
        let name = &topic.spec.name;
        let applied = self.applied;
        let rows_max = usize::MAX;
        match (&request.from, request.form) {
            (Begin::Snapshot, _) | (_, As::Snapshot) => {
                let mut feed = Feed::new(at, filter, 0, 0);
                let state = topic.retained.snapshot(applied);
                let happening = Happening::Changes(Arc::new(state));
                let item = Pending { is_snapshot: true, ..Pending::new(applied.0, happening) };
                feed.push(item, rows_max);
                Ok(feed)
            }
            (Begin::Now, _) => Ok(Feed::new(at, filter, applied.0 + 1, 0)),
            (Begin::Epoch(after), _) => {
                let after = *after;
                if after < topic.history_after {
                    let message = format!(
                        "changes of `{name}` are kept after epoch {}, not {after}",
                        topic.history_after
                    );
                    return Err(
                        Refusal::new(ErrorCode::Gone, message).help("subscribe from \"snapshot\"")
                    );
                }
                if after > applied.0 {
                    return Err(yet_to_come(after, applied));
                }
                let mut feed = Feed::new(at, filter, after + 1, 0);
                for (epoch, updates) in topic.history.iter().filter(|(epoch, _)| *epoch > after) {
                    let happening = Happening::Changes(Arc::clone(updates));
                    feed.push(Pending::new(*epoch, happening), rows_max);
                }
                Ok(feed)
            }
            (Begin::Offset(_) | Begin::Time(_), _) => {
                let message =
                    format!("topic `{name}` is addressed by epochs, not by offset or time");
                Err(Refusal::new(ErrorCode::Unavailable, message)
                    .help("subscribe from \"snapshot\", \"now\" or {\"epoch\": n}"))
            }
        }
    }

    fn plan_events(
        &self,
        at: usize,
        request: &Subscribe,
        filter: Option<Filter>,
    ) -> Result<Feed, Refusal> {
        let topic = &self.topics[at];
        let (name, log) = (&topic.spec.name, &topic.log);
        let last = log.last();
        let feed = |behind: u64, replay: Replay| {
            let mut feed = Feed::new(at, filter, 0, behind);
            for Run { epoch, events, is_after_gap } in replay.runs {
                let happening = Happening::Events(Arc::new(events));
                let item = Pending { is_after_gap, ..Pending::new(epoch, happening) };
                feed.push(item, usize::MAX);
            }
            feed.is_cut |= replay.is_cut;
            feed
        };
        match &request.from {
            Begin::Now => Ok(feed(last, Replay::default())),
            Begin::Snapshot => {
                let (behind, replay) = log.snapshot();
                Ok(feed(behind, replay))
            }
            Begin::Offset(offset) if *offset > last => {
                let message = format!("offset {offset} is yet to come; the last is {last}");
                Err(Refusal::new(ErrorCode::Unavailable, message).help("subscribe from \"now\""))
            }
            // What is no longer kept is named, not passed over.
            Begin::Offset(offset) => Ok(feed(*offset, log.after(*offset))),
            Begin::Epoch(epoch) if *epoch < log.whole_after() => {
                let message = format!(
                    "events of `{name}` are kept after epoch {}, not {epoch}",
                    log.whole_after()
                );
                Err(Refusal::new(ErrorCode::Gone, message).help("subscribe from \"snapshot\""))
            }
            Begin::Epoch(epoch) if *epoch > self.applied.0 => {
                Err(yet_to_come(*epoch, self.applied))
            }
            Begin::Epoch(epoch) => {
                let behind = log.end_of(*epoch);
                Ok(feed(behind, log.after(behind)))
            }
            Begin::Time(_) => {
                let message = "without a store no times of events are kept";
                Err(Refusal::new(ErrorCode::Unavailable, message).help(
                    "subscribe from {\"offset\": n}, {\"epoch\": n}, \"snapshot\" or \"now\"",
                ))
            }
        }
    }
}

fn yet_to_come(epoch: u64, last: Epoch) -> Refusal {
    let message = format!("epoch {epoch} is yet to come; the last is {last}");
    Refusal::new(ErrorCode::Unavailable, message).help("subscribe from \"now\"")
}
