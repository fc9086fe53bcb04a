//! Kernels: each on one worker, with what tells of its steps.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arqon_plan::{KernelPlan, Operator, Step, StepId};
use arqon_types::Schema;

use super::Walk;
use crate::batch::Batches;
use crate::kernel::{BYTES_AT_ONCE, KernelLogic, Stead, Teller};
use crate::keyed::{KeyShape, pack_whole};
use crate::pieces::in_pieces;
use crate::recorder::Meter;
use crate::stateful::{Operation, Placement, render_with_aside};

impl<'scope> Walk<'scope, '_> {
    /// A kernel, and what tells of its steps, if anything does.
    pub(super) fn kernel(
        &mut self,
        idx: usize,
        step: &Step,
        kernel: &KernelPlan,
        meter: Meter,
    ) -> Batches<'scope> {
        let id = StepId::at(idx);
        let (rows, aside, stead) = match step.inputs.len() {
            1 => self.kernel_of::<1>(id, step, kernel, meter),
            2 => self.kernel_of::<2>(id, step, kernel, meter),
            3 => self.kernel_of::<3>(id, step, kernel, meter),
            4 => self.kernel_of::<4>(id, step, kernel, meter),
            n => panic!("a kernel has two ports and who asks at most, and not {n} inputs"),
        };
        self.asides.extend(aside.map(|aside| (id, aside)));
        self.steads.push(stead);
        rows
    }

    fn kernel_of<const N: usize>(
        &self,
        id: StepId,
        step: &Step,
        kernel: &KernelPlan,
        meter: Meter,
    ) -> (Batches<'scope>, Option<Batches<'scope>>, Rc<RefCell<Stead>>) {
        let inputs: [&Schema; N] =
            std::array::from_fn(|input| &*self.plan.steps[step.inputs[input].index()].schema);
        let rows = std::array::from_fn(|input| {
            let types = inputs[input].types();
            let all: Vec<usize> = (0..types.len()).collect();
            // A multiset is keyed by whole rows, who asks by what is asked for; a control's rows
            // are one state.
            let asked = kernel.asked.as_ref().filter(|_| input == kernel.ports.len());
            let key = match (kernel.ports.get(input), asked) {
                (Some(port), _) if port.key.is_empty() => KeyShape::fields(&all, &types),
                (Some(port), _) => KeyShape::fields(&port.key, &types),
                (None, Some(key)) => KeyShape::fields(key, &types),
                (None, None) => KeyShape::fields(&[], &types),
            };
            let rows = self.key(step, input, key, pack_whole(types.clone()), &meter);
            rows.map_columns(|rows| in_pieces(rows, types, BYTES_AT_ONCE))
        });
        let measured = self.plan.steps.iter().find_map(|reader| match &reader.operator {
            Operator::Measured(measured) if reader.inputs == [id] => Some((measured, reader)),
            _ => None,
        });
        let aside = measured.map(|(_, reader)| reader.schema.types());
        let teller =
            measured.map(|(measured, reader)| Teller::new(measured.clone(), reader.schema.types()));
        let schemas = (inputs.as_slice(), &*step.schema);
        let place = u64::from(id.0);
        let is_here = place % self.scope.peers() as u64 == self.scope.index() as u64;
        let kept = is_here.then(|| self.means.keeping.take(id)).flatten();
        let logic = KernelLogic::<N>::new(
            kernel,
            schemas,
            (teller, kept),
            (Arc::clone(&step.address), self.means.clone()),
        );
        let stead = logic.stead();
        let operation = Operation {
            name: kernel.kernel.name(),
            types: step.schema.types(),
            meter,
            marks: None,
            placement: Placement::Together(place),
            aside,
        };
        let (rows, aside) = render_with_aside(self.scope, rows, operation, logic);
        (rows, aside, stead)
    }
}
