//! The values of a kernel's arguments, by their names.

use arqon_types::Value;

use super::Kernel;

/// The arguments of a kernel, in the order of its signature.
#[derive(Debug, Clone, Copy)]
pub struct KernelArguments<'v> {
    /// The kernel.
    pub kernel: Kernel,
    /// All of its arguments.
    pub values: &'v [Value],
}

impl<'v> KernelArguments<'v> {
    /// An argument; none that the kernel does not have.
    pub fn value(self, name: &str) -> Option<&'v Value> {
        self.kernel.argument(name, self.values)
    }

    /// One that is a whole number.
    pub fn integer(self, name: &str) -> Option<i64> {
        if let Value::Int(number) = self.value(name)? { Some(*number) } else { None }
    }

    /// One that is a number.
    pub fn float(self, name: &str) -> Option<f64> {
        if let Value::Float(number) = self.value(name)? { Some(number.get()) } else { None }
    }

    /// One of several words, by its place among them.
    pub fn choice(self, name: &str) -> Option<u32> {
        if let Value::Enum(label) = self.value(name)? { Some(*label) } else { None }
    }
}
