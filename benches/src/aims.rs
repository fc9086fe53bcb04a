//! What the engine was meant to be beside its peers, on one worker.

use arqon_bench_report::{Aim, Meant};

use crate::side::{Figures, Side, Work};

/// One of a side's figures, held against that of the circuit of like keys.
#[derive(Debug, Clone, Copy)]
pub enum Figure {
    /// How many times as fast the circuit loads.
    Load,
    /// How many times lower its middle round is.
    P50,
    /// Its slow rounds, times those of the side.
    P99,
    /// Its memory, times that of the side.
    Peak,
}

impl Figure {
    fn name(self) -> &'static str {
        match self {
            Self::Load => "load, times as fast as",
            Self::P50 => "p50 of a round, times lower than of",
            Self::P99 => "p99 of a round, times that of",
            Self::Peak => "peak memory, times that of",
        }
    }

    /// That of one run of each.
    pub fn ratio(self, circuit: &Figures, side: &Figures) -> f64 {
        match self {
            Self::Load => circuit.mrows_per_s / side.mrows_per_s,
            Self::P50 => side.p50_us / circuit.p50_us,
            Self::P99 => circuit.p99_us / side.p99_us,
            Self::Peak => circuit.peak_mib / side.peak_mib,
        }
    }
}

use Figure::{Load, P50, P99, Peak};
use Meant::{AtLeast, AtMost};

/// Of which workload, beside which side, in what.
const AIMS: &[(Work, &str, Figure, Meant)] = &[
    (Work::Stateless, "hand-written, text keys", Load, AtLeast(1.3)),
    (Work::Decoded, "hand-written, text keys", Load, AtLeast(2.0)),
    (Work::Aggregate, "hand-written, number keys", Load, AtLeast(1.0)),
    (Work::Aggregate, "dbsp, text keys", Load, AtLeast(1.5)),
    (Work::Aggregate, "Pathway, text keys", Load, AtLeast(4.0)),
    (Work::Aggregate, "Bytewax, text keys", Load, AtLeast(6.0)),
    (Work::Aggregate, "dbsp, text keys", P50, AtLeast(6.0)),
    (Work::Aggregate, "dbsp, text keys", Peak, AtMost(0.6)),
    (Work::Join, "hand-written, number keys", Load, AtLeast(1.0)),
    (Work::Join, "dbsp, text keys", Load, AtLeast(2.0)),
    (Work::Join, "Pathway, text keys", Load, AtLeast(8.0)),
    (Work::Join, "dbsp, text keys", P50, AtLeast(8.0)),
    (Work::Join, "dbsp, text keys", Peak, AtMost(0.9)),
    (Work::Reach, "hand-written, number keys", Load, AtLeast(0.85)),
    (Work::Reach, "hand-written, number keys", P99, AtMost(1.0)),
];

/// Those of a workload that these runs, side by side, can tell of.
pub fn aims(work: Work, sides: &[Side], runs: &[Vec<Figures>]) -> Vec<Aim> {
    let of_work = AIMS.iter().filter(|(wanted, ..)| *wanted == work);
    let aim = |(_, name, figure, meant): &(Work, &str, Figure, Meant)| {
        let at = sides.iter().position(|side| side.name == *name)?;
        let circuit = sides[at].beside(sides).filter(|circuit| *circuit != at)?;
        let pairs = runs[circuit].iter().zip(&runs[at]);
        let ratios = pairs.map(|(circuit, side)| figure.ratio(circuit, side)).collect();
        let what = format!("{}: {} {name}", work.name(), figure.name());
        Some(Aim::times(what, *meant, ratios))
    };
    of_work.filter_map(aim).collect()
}
