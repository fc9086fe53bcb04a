//! Who a session is and what it may do. What is not granted is denied.

use std::fmt;

use arqon_types::TopicName;

use crate::pattern::{Pattern, PatternError};

/// What a grant allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Sending messages to a topic.
    Publish,
    /// Receiving what a topic carries.
    Subscribe,
    /// Looking after circuits, whose names are like those of topics.
    Admin,
}

/// A right to do something with the topics, or circuits, of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    action: Action,
    pattern: Pattern,
}

/// Why a text is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GrantError {
    /// No colon, or an unknown right before it.
    #[error("`{0}` is no grant; write can_publish:TOPIC, can_subscribe:TOPIC or can_admin:CIRCUIT")]
    Action(String),
    /// What follows the colon is no pattern.
    #[error("`{text}` names no topics")]
    Pattern {
        /// The grant.
        text: String,
        /// What is wrong with its pattern.
        #[source]
        source: PatternError,
    },
}

impl Grant {
    /// Reads `can_publish:shop.*`, `can_subscribe:shop.revenue` or `can_admin:>`.
    ///
    /// # Errors
    /// [`GrantError`] if the right or the pattern is unknown.
    pub fn parse(text: &str) -> Result<Self, GrantError> {
        let (action, pattern) = match text.split_once(':') {
            Some(("can_publish", pattern)) => (Action::Publish, pattern),
            Some(("can_subscribe", pattern)) => (Action::Subscribe, pattern),
            Some(("can_admin", pattern)) => (Action::Admin, pattern),
            _ => return Err(GrantError::Action(text.to_owned())),
        };
        let pattern = Pattern::parse(pattern)
            .map_err(|source| GrantError::Pattern { text: text.to_owned(), source })?;
        Ok(Self { action, pattern })
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = match self.action {
            Action::Publish => "can_publish",
            Action::Subscribe => "can_subscribe",
            Action::Admin => "can_admin",
        };
        write!(f, "{right}:{}", self.pattern)
    }
}

/// A known identity with its rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The identity's name.
    pub name: String,
    /// Its rights.
    pub grants: Vec<Grant>,
}

impl Principal {
    /// Whether a grant allows the action on the topic.
    pub fn may(&self, action: Action, topic: &TopicName) -> bool {
        self.grants.iter().any(|grant| grant.action == action && grant.pattern.matches(topic))
    }

    /// Whether a grant allows the action whatever the name.
    pub fn may_all(&self, action: Action) -> bool {
        self.grants.iter().any(|grant| grant.action == action && grant.pattern.is_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_granted_is_denied() {
        let topic = |text| TopicName::parse(text).unwrap();
        let grants = ["can_publish:nvm.jobs", "can_subscribe:nvm.>"];
        let principal = Principal {
            name: "p".into(),
            grants: grants.map(|text| Grant::parse(text).unwrap()).to_vec(),
        };
        assert!(principal.may(Action::Publish, &topic("nvm.jobs")));
        assert!(!principal.may(Action::Publish, &topic("nvm.results")));
        assert!(principal.may(Action::Subscribe, &topic("nvm.results.late")));
        assert!(!principal.may(Action::Subscribe, &topic("nvm")));
        assert!(!principal.may(Action::Admin, &topic("nvm.jobs")));
        assert!(!principal.may_all(Action::Subscribe));
        let grants = vec![Grant::parse("can_admin:>").unwrap()];
        let admin = Principal { name: "a".into(), grants };
        assert!(admin.may_all(Action::Admin) && admin.may(Action::Admin, &topic("shop")));
        assert!(!admin.may(Action::Subscribe, &topic("shop")));
        let nobody = Principal { name: "n".into(), grants: Vec::new() };
        assert!(!nobody.may(Action::Subscribe, &topic("nvm.jobs")));
        for odd in ["", "nvm", "can_publish", "can_fly:x", "can_publish:", "can_publish:A"] {
            assert!(Grant::parse(odd).is_err(), "{odd}");
        }
    }
}
