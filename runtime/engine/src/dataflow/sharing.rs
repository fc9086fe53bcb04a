//! Tables of input topics that several dataflows have in common.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use arqon_plan::TopicPlan;
use arqon_types::{Discipline, TopicName};

use super::{Dataflow, FeedError};
use crate::forget::Forgetting;
use crate::narrow::Keep;
use crate::source::Reading;
use crate::worker::Order;

impl Dataflow {
    /// Has its tables of these topics in common with another dataflow from now on, where that can
    /// be: both hold the present row of each key, or each row as often as it is there, whole, let
    /// go of none, and have as many workers. Says of which topics it is so.
    ///
    /// Both must hold the same of them by now, and be fed the same from now on, in the same order;
    /// each at its own pace. Then the rows are held once, and who comes second to a change copies
    /// what it came to. If one stops or goes, the table stays with the other.
    ///
    /// # Errors
    /// If one of the two has stopped.
    pub fn share(
        &self,
        with: &Self,
        topics: &BTreeSet<TopicName>,
    ) -> Result<Vec<TopicName>, FeedError> {
        let mut own = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.as_mut().expect("the feeder is there until the dataflow is dropped");
        let other = with.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let other = other.as_ref().expect("the feeder is there until the dataflow is dropped");
        let mut shared = Vec::new();
        if own.orders.len() != other.orders.len() {
            return Ok(shared);
        }
        for topic in topics {
            let at = |it: &Self| it.plan.topics.iter().position(|plan| plan.name == *topic);
            let Some((at, there)) = at(self).zip(at(with)) else { continue };
            let (one, two) = (&self.plan.topics[at], &with.plan.topics[there]);
            if !self.is_sharable(at) || !with.is_sharable(there) || !is_same_table(one, two) {
                continue;
            }
            let leases = with.answers(other, |reply| Order::Lend(there, reply));
            for (worker, lease) in leases.map_err(FeedError::Stopped)? {
                // One that is gone has failed, which the next call says.
                let _ = own.orders[worker].send(Order::MoveTo(at, lease));
            }
            // The rows of a key go to the worker that has its part of the table.
            own.dividers[at] = other.dividers[there].clone();
            shared.push(topic.clone());
        }
        self.shared.wake();
        Ok(shared)
    }

    /// Whether what is held of a topic hangs on nothing but its changes.
    fn is_sharable(&self, at: usize) -> bool {
        let plan = &self.narrowed.plan;
        let topic = &plan.topics[at];
        let is_held = match topic.discipline {
            Discipline::Full => true,
            Discipline::Delta => topic.verified,
            Discipline::Events => false,
        };
        is_held
            && self.is_input[at]
            && self.narrowed.keep == Keep::Rows
            && self.narrowed.topics[at].is_none()
            && topic.lateness.is_none()
            && !topic.arrival
            && !plan.is_fed_back(&topic.name)
            && Reading::of(plan, &topic.name) == Reading::Rows
            && Forgetting::of(plan, topic) == Forgetting::Never
    }
}

/// Whether two declarations of a topic hold the same rows of the same changes.
fn is_same_table(one: &TopicPlan, two: &TopicPlan) -> bool {
    one.schema.fields == two.schema.fields
        && one.discipline == two.discipline
        && one.key == two.key
        && one.verified == two.verified
}
