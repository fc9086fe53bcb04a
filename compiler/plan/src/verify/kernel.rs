//! Steps of kernels: what they are fed and what they put out fits the kernel's signature.

use arqon_operators::{FieldKind, KernelMode, OutputKind, PortSignature};
use arqon_types::{Schema, Type};

use super::Verifier;
use crate::dataflow::{Operator, Step};
use crate::kernel::{ControlPlan, Emit, KernelColumn, KernelPlan, Measured, PortPlan};

impl Verifier<'_> {
    pub(super) fn kernel(&mut self, kernel: &KernelPlan, inputs: &[Vec<Type>], schema: &Schema) {
        let n_asking = usize::from(kernel.asked.is_some()) + usize::from(kernel.control.is_some());
        let n_inputs = kernel.ports.len() + n_asking;
        self.require(inputs.len() == n_inputs && !kernel.ports.is_empty(), || {
            format!("{} inputs for {n_inputs} ports", inputs.len())
        });
        let n_arguments = kernel.kernel.arguments().len();
        self.require(kernel.arguments.len() == n_arguments, || {
            format!("{} arguments where {n_arguments} are wanted", kernel.arguments.len())
        });
        self.arguments(kernel, inputs);
        let has = |mode: &KernelMode| kernel.kernel.has_mode(*mode, &kernel.arguments).is_ok();
        let has_modes = kernel.modes.iter().all(has);
        self.require(has_modes && !kernel.modes.is_empty(), || {
            "modes that it does not have".into()
        });
        let signature = kernel.kernel.ports();
        for (port, input) in kernel.ports.iter().zip(inputs) {
            match signature.iter().find(|known| known.name == port.name) {
                Some(known) => self.port(port, known, input),
                None => self.require(false, || format!("there is no port `{}`", port.name)),
            }
        }
        self.require(kernel.asked.is_some() == (kernel.emit == Emit::Pull), || {
            "rows are asked for under `pull`, and only there".into()
        });
        if let (Some(asked), true) = (&kernel.asked, inputs.len() == n_inputs) {
            let found = asked.iter().map(|at| inputs[kernel.ports.len()].get(*at));
            let wanted = answer_key(kernel, inputs);
            self.require(!asked.is_empty() && found.eq(wanted.iter().map(Some)), || {
                format!("answers asked for by {asked:?}, whose key is another")
            });
        }
        if let (Some(control), Some(input)) = (&kernel.control, inputs.last()) {
            self.control(control, input);
        }
        if n_arguments == kernel.arguments.len() && inputs.len() == n_inputs {
            self.columns(kernel, inputs, schema);
        }
    }

    /// Arguments are of their types, and a kernel could be prepared of them.
    fn arguments(&mut self, kernel: &KernelPlan, inputs: &[Vec<Type>]) {
        let signature = kernel.kernel.arguments();
        let each = signature.iter().zip(&kernel.arguments);
        let is_sound = each.into_iter().all(|(known, value)| {
            value.fits(&known.ty) && kernel.kernel.argument_fault(known.name, value).is_none()
        });
        let length = |name: &str| vector_length(kernel, inputs, name);
        let unfit = kernel.kernel.unfit(&kernel.arguments, length).filter(|_| is_sound);
        self.require(is_sound, || "arguments that the kernel does not take".into());
        self.require(unfit.is_none(), || match &unfit {
            Some(unfit) => format!("`{}` has to be {}", unfit.argument, unfit.wanted),
            None => String::new(),
        });
    }

    fn port(&mut self, port: &PortPlan, known: &PortSignature, input: &[Type]) {
        let is_keyed = !port.key.is_empty() || !known.is_keyed;
        self.require(is_keyed && port.key.iter().all(|at| *at < input.len()), || {
            format!("a key {:?} of port `{}`", port.key, port.name)
        });
        let fits = port.fields.len() == known.fields.len()
            && port.fields.iter().zip(&known.fields).all(|(at, field)| match at {
                None => field.is_optional,
                Some(at) => input.get(*at).is_some_and(|ty| field.kind.admits(ty)),
            });
        self.require(fits, || format!("the fields of port `{}`", port.name));
    }

    fn control(&mut self, control: &ControlPlan, input: &[Type]) {
        let fits = matches!(input.get(control.column),
            Some(Type::Enum(labels)) if labels.len() == control.modes.len());
        self.require(fits, || "a control without modes".into());
    }

    fn columns(&mut self, kernel: &KernelPlan, inputs: &[Vec<Type>], schema: &Schema) {
        let output = kernel.kernel.output(&kernel.arguments);
        let along = output.along.and_then(|along| {
            let at = kernel.ports.iter().position(|port| port.name == along)?;
            inputs.get(at)
        });
        let fits = |column: &KernelColumn, ty: &Type| match column {
            KernelColumn::Along(at) => along.and_then(|row| row.get(*at)) == Some(ty),
            KernelColumn::Made(at) => match output.fields.get(*at) {
                Some((_, OutputKind::Int64)) => FieldKind::Int64.admits(ty),
                Some((_, OutputKind::Float64)) => FieldKind::Float64.admits(ty),
                Some((_, OutputKind::Like(..) | OutputKind::Sized(_))) => {
                    FieldKind::Vector("").admits(ty)
                }
                None => false,
            },
        };
        let types = schema.types();
        let is_sound = kernel.columns.len() == types.len()
            && kernel.columns.iter().zip(&types).all(|(column, ty)| fits(column, ty));
        self.require(is_sound, || "columns that the kernel does not put out".into());
    }

    pub(super) fn measured(&mut self, measured: &Measured, kernel: &Step, schema: &Schema) {
        self.require(matches!(kernel.operator, Operator::Kernel(_)), || {
            "what is measured is no kernel".into()
        });
        let names = schema.fields.iter().map(|field| &*field.name);
        self.require(measured.metrics.iter().map(|metric| metric.name()).eq(names), || {
            "fields that are no metrics".into()
        });
        let n_fields = schema.fields.len();
        self.require(measured.key.iter().all(|at| *at < n_fields), || {
            format!("key {:?} lies outside of {n_fields} fields", measured.key)
        });
    }
}

/// How long the vectors are that the signature has this name for, where the plan says it.
fn vector_length(kernel: &KernelPlan, inputs: &[Vec<Type>], name: &str) -> Option<u64> {
    let signature = kernel.kernel.ports();
    kernel.ports.iter().zip(inputs).find_map(|(port, input)| {
        let known = signature.iter().find(|known| known.name == port.name)?;
        let is_named = |kind| matches!(kind, FieldKind::Vector(length) if length == name);
        let at = known.fields.iter().position(|field| is_named(field.kind))?;
        match input.get(port.fields.get(at).copied().flatten()?)? {
            Type::Tensor(tensor) => tensor.vector_length(),
            _ => None,
        }
    })
}

/// The types of what answers are told apart by.
fn answer_key(kernel: &KernelPlan, inputs: &[Vec<Type>]) -> Vec<Type> {
    let output = kernel.kernel.output(&kernel.arguments);
    let Some(along) = output.along else {
        return vec![Type::Int64; output.places().count()];
    };
    let port = kernel.ports.iter().position(|port| port.name == along);
    let of = |at: usize| {
        let key = kernel.ports[at].key.iter();
        key.filter_map(|column| inputs[at].get(*column).cloned()).collect()
    };
    port.map_or_else(Vec::new, of)
}
