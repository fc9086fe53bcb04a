//! `arqon demo itmd`: attention whose tokens change, from few to all of them and back. Each step is
//! taken three times: in full, by its delta, and as the controller chooses, by itself.

use std::fs::OpenOptions;
use std::path::Path;
use std::task::Poll;
use std::time::Duration;

use arqon_kernels::{
    AttentionDelta, AttentionRows, AttentionSpec, Causality, Controller, Decision, Emit,
    FeatureMap, Kernel, Limits, MODES, Mode, Prediction, QueryRows, Step, TokenRows,
    TransformerAttn, shared,
};
use arqon_plot::{Labels, Line, draw};
use serde_json::{Value, json};

use crate::console::Console;
use crate::exit::{Exit, Failure};
use crate::run::durations::duration_text;
use crate::run::now;

/// Tokens, and as many queries: one of them is the least churn.
const N_TOKENS: usize = 10_000;
const SPEC: AttentionSpec = AttentionSpec {
    n_heads: 2,
    n_key: 128,
    n_value: 128,
    n_features: 128,
    feature_map: FeatureMap::FavorPlus,
    causality: Causality::Plain,
    seed: 7,
};

/// Steps of each churn.
const STEPS: usize = 5;

/// Churn from the least to all, and back.
const CHURN: [f64; 13] = [1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0, 0.3, 0.1, 1e-2, 1e-3, 1e-4];

/// What the steps of one churn came to, in seconds, the median of each.
struct Scene {
    churn: f64,
    pass: f64,
    itmd: f64,
    chosen: f64,
    /// How often the controller took the delta.
    n_itmd: usize,
    error_max: f64,
}

/// Plays the sweep, and draws it where asked.
///
/// # Errors
/// A [`Failure`] if the drawing cannot be written.
pub(super) fn itmd(svg: Option<&Path>, console: Console) -> Result<Exit, Failure> {
    if let Some(file) = svg {
        // Whether it can be written is known before the play, not behind it.
        let opened = OpenOptions::new().create(true).append(true).open(file);
        opened.map_err(|error| Failure::unwritable(file.display(), error))?;
    }
    let mut numbers = Numbers(SPEC.seed);
    let first = AttentionDelta {
        queries: numbers.queries(0..N_TOKENS),
        tokens: numbers.tokens(0..N_TOKENS),
        ..AttentionDelta::default()
    };
    let kernel = || {
        let mut kernel = TransformerAttn::compile(&SPEC)
            .map_err(|error| Failure::internal(error.to_string()))?;
        take(&mut kernel, first.clone(), Mode::Pass);
        Ok::<_, Failure>(kernel)
    };
    let mut kernels = [kernel()?, kernel()?, kernel()?];
    let mut controller = Controller::new(Limits {
        modes: vec![Mode::Pass, Mode::Itmd],
        error_max: f64::INFINITY,
        seconds_max: f64::INFINITY,
    });
    say(
        console,
        "  Attention over 10,000 tokens in 2 heads; a share p of them changes in each step.",
    )?;
    say(console, "  Time of a step in full, by its delta, and as the controller chooses:\n")?;
    say(console, "       p        pass        itmd  controller  chooses  off by at most")?;
    let mut scenes = Vec::with_capacity(CHURN.len());
    let mut next = 0;
    for churn in CHURN {
        let state = (&mut numbers, &mut next);
        let scene = shared(|| play(churn, &mut kernels, &mut controller, state));
        say(console, &line(&scene))?;
        scenes.push(scene);
    }
    let sum = |of: fn(&Scene) -> f64| scenes.iter().map(of).sum::<f64>();
    let ratio = sum(|it| it.chosen) / sum(|it| it.pass.min(it.itmd));
    say(
        console,
        &format!("\n  The controller takes {ratio:.2} times the best mode of each step."),
    )?;
    if let Some(file) = svg {
        picture(file, &scenes)?;
        say(console, &format!("  The plot is in {}.", file.display()))?;
    }
    if !console.is_human() {
        let steps: Vec<Value> = scenes.iter().map(document).collect();
        console.out(&format!("{}\n", json!({ "steps": steps, "controller_to_best": ratio })))?;
    }
    Ok(Exit::Success)
}

fn say(console: Console, line: &str) -> Result<(), Failure> {
    if console.is_human() { console.out(&format!("{line}\n")) } else { Ok(()) }
}

/// Some steps of one churn, each taken by all three kernels in turn.
fn play(
    churn: f64,
    kernels: &mut [TransformerAttn; 3],
    controller: &mut Controller,
    (numbers, next): (&mut Numbers, &mut usize),
) -> Scene {
    let n_changed = changed(churn);
    let mut times: [Vec<f64>; 3] = Default::default();
    let (mut n_itmd, mut error_max) = (0, 0.0_f64);
    for _ in 0..STEPS {
        let start = *next;
        *next = (start + n_changed) % N_TOKENS;
        let places = || (start..start + n_changed).map(|at| at % N_TOKENS);
        let delta = AttentionDelta {
            queries: numbers.queries(places()),
            tokens: numbers.tokens(places()),
            ..AttentionDelta::default()
        };
        let [pass, itmd, chosen] = kernels;
        times[0].push(take(pass, delta.clone(), Mode::Pass).0);
        times[1].push(take(itmd, delta.clone(), Mode::Itmd).0);
        let (decision, offer) = decide(controller, chosen, delta.clone());
        let (seconds, error) = take(chosen, delta, decision.mode);
        if let Some(offer) = offer {
            controller.observe(decision.mode, offer.work, seconds);
        }
        times[2].push(seconds);
        n_itmd += usize::from(decision.mode == Mode::Itmd);
        error_max = error_max.max(error);
    }
    let [pass, itmd, chosen] = times.map(median);
    Scene { churn: share(n_changed), pass, itmd, chosen, n_itmd, error_max }
}

fn decide(
    controller: &mut Controller,
    kernel: &TransformerAttn,
    delta: AttentionDelta,
) -> (Decision, Option<Prediction>) {
    let delta = kernel.measure(delta).expect(FITS);
    let offers = MODES.map(|mode| kernel.predict(mode, delta.churn(), Emit::Changed));
    let decision = controller.decide(&offers);
    (decision, offers[decision.mode.index()])
}

/// Why measuring cannot fail.
const FITS: &str = "the demo's tokens fit";

/// Takes a step to its end; gives how long it took, in seconds, and its error bound.
fn take(kernel: &mut TransformerAttn, delta: AttentionDelta, mode: Mode) -> (f64, f64) {
    let start = now();
    let delta = kernel.measure(delta).expect(FITS);
    kernel.begin(Step { delta, mode, emit: Emit::Changed, error_max: f64::INFINITY });
    let mut rows = AttentionRows::default();
    loop {
        if let Poll::Ready(report) = kernel.advance(u64::MAX, &mut rows) {
            return (start.elapsed().as_secs_f64(), report.error_max);
        }
    }
}

fn line(scene: &Scene) -> String {
    let Scene { churn, pass, itmd, chosen, n_itmd, error_max } = scene;
    let time = |seconds: &f64| duration_text(Duration::from_secs_f64(*seconds));
    let word = if 2 * n_itmd > STEPS { "itmd" } else { "pass" };
    format!(
        "{churn:>8.4} {:>11} {:>11} {:>11}  {word:<7}  {error_max:>14.1e}",
        time(pass),
        time(itmd),
        time(chosen)
    )
}

fn document(scene: &Scene) -> Value {
    let Scene { churn, pass, itmd, chosen, n_itmd, error_max } = scene;
    json!({
        "churn": churn, "pass_seconds": pass, "itmd_seconds": itmd, "controller_seconds": chosen,
        "itmd_steps": n_itmd, "steps": STEPS, "error_bound": error_max,
    })
}

fn picture(file: &Path, scenes: &[Scene]) -> Result<(), Failure> {
    let way_up = scenes.iter().position(|scene| scene.churn >= 1.0).map_or(0, |at| at + 1);
    let points = |of: fn(&Scene) -> f64| {
        scenes[..way_up].iter().map(|scene| (scene.churn, of(scene) * 1e3)).collect()
    };
    let lines = [
        Line { name: "pass".to_owned(), points: points(|it| it.pass) },
        Line { name: "itmd".to_owned(), points: points(|it| it.itmd) },
        Line { name: "controller".to_owned(), points: points(|it| it.chosen) },
    ];
    let labels = Labels {
        title: "Attention: a step against the changed share of its tokens",
        x: "changed share p",
        y: "milliseconds",
    };
    draw(file, labels, &lines).map_err(|error| Failure::unwritable(file.display(), error))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of some thousands"
)]
fn changed(churn: f64) -> usize {
    ((N_TOKENS as f64 * churn).round() as usize).clamp(1, N_TOKENS)
}

#[expect(clippy::cast_precision_loss, reason = "a share of a few thousand")]
fn share(n_changed: usize) -> f64 {
    n_changed as f64 / N_TOKENS as f64
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

fn keys(range: impl Iterator<Item = usize>) -> Vec<i64> {
    range.map(|at| i64::try_from(at).expect("a few thousand")).collect()
}

/// The same numbers in every run, between -1 and 1.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        #[expect(clippy::cast_precision_loss, reason = "24 bits are a float's")]
        let number = (self.0 >> 40) as f32 / 8_388_608.0;
        number - 1.0
    }

    fn many(&mut self, n_rows: usize) -> Vec<f32> {
        (0..n_rows * SPEC.n_key).map(|_| self.next()).collect()
    }

    fn queries(&mut self, range: impl Iterator<Item = usize>) -> QueryRows {
        let keys = keys(range);
        let q = self.many(keys.len());
        QueryRows { keys, q, places: vec![] }
    }

    fn tokens(&mut self, range: impl Iterator<Item = usize>) -> TokenRows {
        let keys = keys(range);
        let (k, v) = (self.many(keys.len()), self.many(keys.len()));
        TokenRows { keys, k, v, places: vec![] }
    }
}
