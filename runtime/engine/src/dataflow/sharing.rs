//! Tables of input topics, and states of steps, that several dataflows have in common.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use arqon_plan::TopicPlan;
use arqon_types::{Discipline, TopicName};

use super::{Dataflow, FeedError};
use crate::cone::{Made, cones};
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
    pub fn share_tables(
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

    /// Has the states of its joins, groups, sets and first rows in common with the same steps of
    /// another dataflow from now on, those that hang on nothing but the rows of these topics, whose
    /// tables both have in common. Gives their addresses, here and there. What is not the same
    /// in all that comes before is not in common, which columns are kept included.
    ///
    /// Nothing may be under way in either; else nothing is done. As with [`Self::share_tables`],
    /// each goes on at its own pace, and who comes second copies what an epoch came to.
    ///
    /// # Errors
    /// If one of the two has stopped.
    pub fn share_steps(
        &self,
        with: &Self,
        topics: &BTreeSet<TopicName>,
    ) -> Result<Vec<[Arc<str>; 2]>, FeedError> {
        let mut own = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.as_mut().expect("the feeder is there until the dataflow is dropped");
        let other = with.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        let other = other.as_ref().expect("the feeder is there until the dataflow is dropped");
        let there = cones(&with.narrowed, topics);
        let both = cones(&self.narrowed, topics).into_iter();
        let both = both.filter_map(|(hash, made)| Some((made, there.get(&hash)?.clone())));
        let (here, there): (Vec<Made>, Vec<Made>) =
            both.filter(|(made, _)| !own.leased.contains(&made.at)).unzip();
        if here.is_empty() || own.orders.len() != other.orders.len() {
            return Ok(Vec::new());
        }
        for (dataflow, feeder) in [(self, &*own), (with, other)] {
            let at_rest = dataflow.answers(feeder, Order::AtRest).map_err(FeedError::Stopped)?;
            if at_rest.contains(&false) {
                return Ok(Vec::new());
            }
        }
        let there: Arc<[Made]> = there.into();
        let lent = with.answers(other, |reply| Order::LendSteps(Arc::clone(&there), reply));
        let mut shared = Vec::new();
        for (worker, leases) in lent.map_err(FeedError::Stopped)? {
            for ((made, there), lease) in here.iter().zip(&*there).zip(leases) {
                let Some(lease) = lease else { continue };
                // One that is gone has failed, which the next call says.
                let _ = own.orders[worker].send(Order::MoveStepTo(made.clone(), lease));
                if own.leased.insert(made.at) {
                    let address = |it: &Self, at: usize| Arc::clone(&it.plan.steps[at].address);
                    shared.push([address(self, made.at), address(with, there.at)]);
                }
            }
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
