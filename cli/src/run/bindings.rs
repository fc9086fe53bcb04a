//! `--input topic=path` and `--output topic=path`, held against the circuit.

use std::path::Path;

use arqon_formats::{Format, Location, OutputKind};
use arqon_grammar::suggest::suggest;
use arqon_plan::{Artifact, DataflowPlan, TopicPlan};
use arqon_proto::BodyCodec;
use arqon_types::{Schema, TopicName, error_schema};

use crate::arguments::OutputAs;
use crate::exit::Failure;

/// A file that a topic's messages are read from.
#[derive(Debug, Clone)]
pub(crate) struct InputBinding {
    /// The topic.
    pub(crate) topic: TopicName,
    /// Reads its messages.
    pub(crate) codec: BodyCodec,
    /// The file.
    pub(crate) location: Location,
}

/// A file that a topic is written to.
#[derive(Debug, Clone)]
pub(crate) struct OutputBinding {
    /// The topic.
    pub(crate) topic: TopicName,
    /// What its rows are.
    pub(crate) schema: Schema,
    /// The file.
    pub(crate) location: Location,
    /// What is written.
    pub(crate) kind: OutputKind,
}

/// The inputs in the order of their flags.
///
/// # Errors
/// A usage [`Failure`] for an unknown topic, one that is no input, or a path without a format.
pub(crate) fn inputs(
    plan: &DataflowPlan,
    flags: &[(String, String)],
) -> Result<Vec<InputBinding>, Failure> {
    let mut n_stdin = 0;
    flags
        .iter()
        .map(|(name, path)| {
            let flag = format!("--input {name}={path}");
            let topic = find(plan, name, &flag)?;
            if !plan.is_input(&topic.name) {
                return Err(Failure::usage(format!(
                    "{flag}: no node reads topic `{name}` as input"
                ))
                .help(format!("topics that can be read from files: {}", input_names(plan))));
            }
            let location = Location::parse(path)
                .map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
            n_stdin += usize::from(location.is_standard_stream());
            if n_stdin > 1 {
                return Err(Failure::usage(format!("{flag}: stdin is read once only")));
            }
            Ok(InputBinding { topic: topic.name.clone(), codec: codec_of(topic), location })
        })
        .collect()
}

/// The outputs in the order of their flags.
///
/// # Errors
/// A usage [`Failure`] for an unknown topic, one that is no output, or a path whose format
/// cannot hold what is wanted.
pub(crate) fn outputs(
    circuit: &Artifact,
    flags: &[(String, String)],
    wanted: Option<OutputAs>,
) -> Result<Vec<OutputBinding>, Failure> {
    let mut taken: Vec<&str> = Vec::new();
    flags
        .iter()
        .map(|(name, path)| {
            let flag = format!("--output {name}={path}");
            let (topic, schema) = output_topic(circuit, name, &flag)?;
            let location = Location::parse(path)
                .map_err(|error| Failure::usage(format!("{flag}: {error}")))?;
            if taken.contains(&path.as_str()) {
                return Err(Failure::usage(format!("{flag}: `{path}` is written already")));
            }
            taken.push(path);
            let kind = match (wanted, location.format) {
                (Some(OutputAs::Deltas), Format::Csv | Format::Parquet) => {
                    return Err(Failure::usage(format!("{flag}: deltas are written as NDJSON"))
                        .help("name the file .ndjson, or take --as snapshot"));
                }
                (Some(OutputAs::Snapshot), _) | (None, Format::Csv | Format::Parquet) => {
                    OutputKind::Snapshot
                }
                (Some(OutputAs::Deltas) | None, Format::Ndjson) => OutputKind::Deltas,
            };
            Ok(OutputBinding { topic, schema, location, kind })
        })
        .collect()
}

/// Holds that no file is read and written: it would be emptied before it is read.
///
/// # Errors
/// A usage [`Failure`] that names the first that is.
pub(crate) fn keep_apart(
    inputs: &[InputBinding],
    outputs: &[OutputBinding],
) -> Result<(), Failure> {
    // What is not there yet is none of the inputs.
    let place = |location: &Location| location.path.as_deref()?.canonicalize().ok();
    let read: Vec<_> = inputs.iter().map(|input| place(&input.location)).collect();
    for OutputBinding { topic, location, .. } in outputs {
        let written = place(location);
        let Some(at) = read.iter().position(|read| read.is_some() && *read == written) else {
            continue;
        };
        let path = location.path.as_deref().unwrap_or(Path::new("-")).display();
        let text = format!("--output {topic}={path}: `--input {}` reads it", inputs[at].topic);
        return Err(Failure::usage(text).help("name another file for what is written"));
    }
    Ok(())
}

/// The codec of a topic's messages.
pub(crate) fn codec_of(topic: &TopicPlan) -> BodyCodec {
    let key: Vec<String> =
        topic.key.iter().map(|at| topic.schema.fields[*at].name.to_string()).collect();
    BodyCodec::new(topic.schema.clone(), topic.discipline, &key)
}

fn output_topic(
    circuit: &Artifact,
    name: &str,
    flag: &str,
) -> Result<(TopicName, Schema), Failure> {
    let Artifact { plan: graph, dataflow: plan } = circuit;
    if let Some(owner) = name.strip_suffix(".errors") {
        // A node may have no steps of its own: none at all, or none but what another one has, too.
        let is_node = graph.nodes().iter().any(|node| node.name == owner);
        let is_topic = plan.topics.iter().any(|topic| topic.name.as_str() == owner);
        if (is_node || is_topic)
            && let Ok(topic) = TopicName::parse(name)
        {
            return Ok((topic, error_schema()));
        }
    }
    let topic = find(plan, name, flag)?;
    if plan.outputs.iter().all(|output| output.topic != topic.name) {
        let names: Vec<&str> = plan.outputs.iter().map(|output| output.topic.as_str()).collect();
        return Err(Failure::usage(format!("{flag}: no node writes topic `{name}`"))
            .help(format!("topics that nodes write: {}", names.join(", "))));
    }
    Ok((topic.name.clone(), topic.schema.clone()))
}

fn find<'p>(plan: &'p DataflowPlan, name: &str, flag: &str) -> Result<&'p TopicPlan, Failure> {
    plan.topics.iter().find(|topic| topic.name.as_str() == name).ok_or_else(|| {
        let names = || plan.topics.iter().map(|topic| topic.name.as_str());
        let failure = Failure::usage(format!("{flag}: the circuit has no topic `{name}`"));
        match suggest(name, names()) {
            Some(near) => failure.help(format!("did you mean `{near}`?")),
            None => failure.help(format!("it has {}", names().collect::<Vec<_>>().join(", "))),
        }
    })
}

fn input_names(plan: &DataflowPlan) -> String {
    let names = plan.topics.iter().filter(|topic| plan.is_input(&topic.name));
    names.map(|topic| topic.name.as_str()).collect::<Vec<_>>().join(", ")
}
