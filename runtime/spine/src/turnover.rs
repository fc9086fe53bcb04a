//! How topics come and go, while clients publish and subscribe.
//!
//! **Invariant:** a subscription never goes silent: where what it follows ends, or changes its
//! schema, it ends too, with an error that names the frame which asked for it.

use arqon_proto::{As, Begin, ErrorCode, Subscribe};
use arqon_types::{Schema, TopicName};

use crate::grant::Action;
use crate::machine::{Bus, Output, SessionId};
use crate::pattern::Pattern;
use crate::refusal::Refusal;
use crate::topic::{Topic, TopicSpec};

/// A topic as the bus tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct TopicReport {
    /// Its contract.
    pub spec: TopicSpec,
    /// Rows that its collection has now; of events none.
    pub n_rows: u64,
    /// Messages, or events, so far.
    pub n_messages: u64,
    /// Subscriptions that follow it.
    pub n_subscriptions: u64,
    /// Why nothing comes or goes any more, if so.
    pub stopped: Option<String>,
}

/// A session as the bus tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionReport {
    /// Its number.
    pub session: SessionId,
    /// Who it is.
    pub principal: String,
    /// What it has subscribed to, as it asked.
    pub subscriptions: Vec<String>,
}

impl Bus {
    /// Adds a topic that nobody has used yet. Patterns that match it follow it from now on.
    ///
    /// # Panics
    /// If there is one of its name.
    pub fn add_topic(&mut self, spec: TopicSpec) {
        let name = spec.name.clone();
        let emits = spec.edge.emits();
        let at = self.topics.add(Topic::new(spec, self.applied));
        if !emits {
            return;
        }
        let mut joining = Vec::new();
        for (session, state) in &self.sessions {
            if !state.principal.may(Action::Subscribe, &name) {
                continue;
            }
            for (sub, subscription) in &state.subscriptions {
                let asked = &subscription.request;
                let is_pattern = Pattern::parse(&asked.topic)
                    .is_ok_and(|pattern| pattern.exact().is_none() && pattern.means(&name));
                // What was asked for once is not followed by what comes later.
                if !is_pattern || asked.form == As::Snapshot {
                    continue;
                }
                let from = match asked.from {
                    Begin::Snapshot => Begin::Snapshot,
                    Begin::Now | Begin::Epoch(_) | Begin::Offset(_) | Begin::Time(_) => Begin::Now,
                };
                // Where its filter or form does not fit, the pattern does not follow the topic.
                if let Ok(feed) = self.plan_feed(at, &Subscribe { from, ..asked.clone() }) {
                    joining.push((*session, *sub, feed));
                }
            }
        }
        for (session, sub, feed) in joining {
            let state = self.sessions.get_mut(&session);
            if let Some(found) = state.and_then(|state| state.subscriptions.get_mut(&sub)) {
                found.feeds.push(feed);
            }
        }
    }

    /// Goes on with another declaration of the same contract: subscriptions, rows and offsets stay.
    pub fn renew_topic(&mut self, spec: TopicSpec) {
        if let Some(at) = self.topics.place(&spec.name) {
            self.topics[at].renew(spec, self.applied);
        }
    }

    /// Takes a topic away. Its subscriptions end with `GONE` and these words; so do acks that wait.
    ///
    /// # Panics
    /// If messages to it still wait for the open epoch.
    pub fn remove_topic(&mut self, name: &TopicName, words: &str) -> Vec<Output> {
        let Some(at) = self.topics.place(name) else { return Vec::new() };
        assert!(
            self.queue.iter().all(|(topic, _)| *topic != at),
            "what waits for `{name}` takes effect before it goes"
        );
        self.end_of_topic(at, &Refusal::new(ErrorCode::Gone, words));
        for rows in self.under_way.values_mut() {
            rows.remove(&at);
        }
        self.topics.remove(at);
        self.take_outputs()
    }

    /// Stops a topic whose circuit has stopped: subscriptions and acks that wait end with
    /// `UNAVAILABLE` and these words, and so does what comes for it.
    pub fn stop_topic(&mut self, name: &TopicName, words: &str) -> Vec<Output> {
        let Some(at) = self.topics.place(name) else { return Vec::new() };
        self.end_of_topic(at, &Refusal::new(ErrorCode::Unavailable, words));
        self.topics[at].stopped = Some(words.to_owned());
        self.take_outputs()
    }

    fn end_of_topic(&mut self, at: usize, refusal: &Refusal) {
        let mut ended = Vec::new();
        for (session, state) in &mut self.sessions {
            state.subscriptions.retain(|sub, subscription| {
                let stays = subscription.feeds.iter().all(|feed| feed.topic != at);
                if !stays {
                    ended.push((*session, subscription.asked, *sub));
                }
                stays
            });
        }
        for (session, asked, sub) in ended {
            let message = format!("subscription {sub} has ended: {}", refusal.message);
            self.refuse(session, asked, Refusal { message, ..refusal.clone() });
        }
        let mut waiting = Vec::new();
        for acks in self.waiting.values_mut() {
            waiting.extend(acks.extract_if(.., |ack| ack.topic == at));
        }
        self.waiting.retain(|_, acks| !acks.is_empty());
        for ack in waiting {
            self.refuse(ack.session, Some(ack.id), refusal.clone());
        }
    }

    /// The topics that are there, by name.
    pub fn topics(&self) -> Vec<TopicReport> {
        let follows = |at: usize| {
            let subscriptions =
                self.sessions.values().flat_map(|session| session.subscriptions.values());
            let feeds = subscriptions.flat_map(|subscription| &subscription.feeds);
            feeds.filter(|feed| feed.topic == at).count() as u64
        };
        let report = |(at, topic): (usize, &Topic)| TopicReport {
            spec: topic.spec.clone(),
            n_rows: topic.retained.n_rows(),
            n_messages: topic.n_messages(),
            n_subscriptions: follows(at),
            stopped: topic.stopped.clone(),
        };
        self.topics.iter().map(report).collect()
    }

    /// The contract of a topic, if it is there.
    pub fn topic(&self, name: &TopicName) -> Option<&TopicSpec> {
        self.topics.get(name).map(|topic| &topic.spec)
    }

    /// The sessions at this moment.
    pub fn sessions(&self) -> Vec<SessionReport> {
        let report = |(session, state): (&SessionId, &crate::machine::Session)| SessionReport {
            session: *session,
            principal: state.principal.name.clone(),
            subscriptions: state
                .subscriptions
                .values()
                .map(|subscription| subscription.request.topic.clone())
                .collect(),
        };
        self.sessions.iter().map(report).collect()
    }
}

impl TopicSpec {
    /// What of the contract with clients another declaration changes; none if they can go on.
    pub fn breach(&self, other: &Self) -> Option<&'static str> {
        let rows = |schema: &Schema| (schema.fields.clone(), schema.units.clone());
        if rows(&self.schema) != rows(&other.schema) {
            Some("its schema")
        } else if self.discipline != other.discipline {
            Some("what it carries")
        } else if self.key != other.key {
            Some("its key")
        } else if self.edge.emits() != other.edge.emits() {
            Some("its edge")
        } else {
            None
        }
    }
}
