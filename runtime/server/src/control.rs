//! The control API: what comes in HTTP, from its path to what the hub is asked.
//!
//! **Invariant:** whoever reads or changes anything here holds a grant `can_admin:` for it; only
//! `/healthz` is for everybody.

use arqon_plan::Artifact;
use arqon_shield::{Asked, Method, Reply, Request, unauthenticated};
use arqon_spine::{Action, Principal};
use arqon_types::TopicName;
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, oneshot};

use crate::command::{Addition, Change, ChangeError, Changed, Command, Replacing};
use crate::control_json::{changed, circuit, circuits, sessions, topic};
use crate::metrics::metrics;
use crate::reading::{Unreadable, read_circuit};
use crate::report::ServerReport;

/// Answers requests until nobody can ask any more.
pub(crate) async fn attend(mut requests: mpsc::Receiver<Asked>, hub: mpsc::Sender<Command>) {
    while let Some(Asked { request, reply }) = requests.recv().await {
        let hub = hub.clone();
        // Requests are as many as connections at most.
        tokio::spawn(async move {
            let answer = answer(request, &hub).await.unwrap_or_else(|refusal| refusal);
            // One who no longer waits for the answer has gone.
            let _ = reply.send(answer);
        });
    }
}

type Answer = Result<Reply, Reply>;

async fn answer(request: Request, hub: &mpsc::Sender<Command>) -> Answer {
    let path = request.path.clone();
    if path == "/healthz" {
        only(&request, Method::Get)?;
        report(hub).await?;
        return Ok(Reply::json(200, &json!({ "status": "ok" })));
    }
    let principal = request.principal.clone().ok_or_else(unauthenticated)?;
    let all = Some("").filter(|_| path == "/v1/circuits");
    match all.or_else(|| path.strip_prefix("/v1/circuits/")) {
        Some("") => match request.method {
            Method::Get => {
                let report = report(hub).await?;
                let own = |name: &str| may(&principal, name);
                Ok(Reply::json(200, &circuits(&report, own)))
            }
            Method::Post => {
                let artifact = circuit_of(request.body, &principal, None).await?;
                put(hub, artifact, Replacing::Never).await
            }
            Method::Put | Method::Delete => Err(not_allowed("GET and POST")),
        },
        Some(rest) => named(request, rest, &principal, hub).await,
        None => {
            if !principal.may_all(Action::Admin) {
                return Err(forbidden(">"));
            }
            only(&request, Method::Get)?;
            let report = report(hub).await?;
            match path.as_str() {
                "/v1/topics" => {
                    let topics: Vec<Json> = report.topics.iter().map(topic).collect();
                    Ok(Reply::json(200, &json!({ "epoch": report.epoch.0, "topics": topics })))
                }
                "/v1/topology" => Ok(Reply::json(200, &topology(&report))),
                "/metrics" => Ok(Reply {
                    status: 200,
                    content_type: "text/plain; version=0.0.4",
                    body: metrics(&report).into(),
                }),
                _ => Err(Reply::error(404, "NOT_FOUND", &format!("nothing is at {path}"))),
            }
        }
    }
}

/// What is asked of one circuit.
async fn named(
    request: Request,
    rest: &str,
    principal: &Principal,
    hub: &mpsc::Sender<Command>,
) -> Answer {
    let (name, what) = rest.split_once('/').map_or((rest, None), |(name, it)| (name, Some(it)));
    if !may(principal, name) {
        return Err(forbidden(name));
    }
    match (request.method, what) {
        (Method::Get, None) => {
            let report = report(hub).await?;
            let found = report.circuits.iter().find(|it| it.name == name);
            let unknown = || refusal(&ChangeError::Unknown(name.to_owned()));
            found.map(|it| Reply::json(200, &circuit(it, &report))).ok_or_else(unknown)
        }
        (Method::Put, None) => {
            let replacing = match request.query.as_str() {
                "" => Replacing::Compatibly,
                "force=true" => Replacing::Whatever,
                other => return Err(bad_query(other)),
            };
            let artifact = circuit_of(request.body, principal, Some(name)).await?;
            if !report(hub).await?.circuits.iter().any(|it| it.name == name) {
                return Err(refusal(&ChangeError::Unknown(name.to_owned())));
            }
            put(hub, artifact, replacing).await
        }
        (Method::Delete, None) => {
            let outcome = change(hub, Change::Drop(name.to_owned())).await?;
            Ok(Reply::json(200, &changed(&outcome)))
        }
        (Method::Post, Some("diff")) => {
            let artifact = circuit_of(request.body, principal, Some(name)).await?;
            let (reply, found) = oneshot::channel();
            let artifact = Box::new(artifact);
            ask(hub, Command::Compare { artifact, reply }).await?;
            let found = found.await.map_err(|_| ended())?.map_err(|error| refusal(&error))?;
            Ok(Reply::json(
                200,
                &json!({
                    "compatible": found.is_compatible(),
                    "changes": found.changes,
                    "effects": found.effects,
                }),
            ))
        }
        (_, None) => Err(not_allowed("GET, PUT and DELETE")),
        (_, Some("diff")) => Err(not_allowed("POST")),
        (_, Some(_)) => Err(Reply::error(404, "NOT_FOUND", "a circuit has no such part")),
    }
}

/// The circuit in a body; of this name, if one is asked for.
async fn circuit_of(
    body: bytes::Bytes,
    principal: &Principal,
    name: Option<&str>,
) -> Result<Artifact, Reply> {
    let read = tokio::task::spawn_blocking(move || read_circuit(&body)).await;
    let artifact = match read {
        Ok(Ok(artifact)) => artifact,
        Ok(Err(Unreadable { message, diagnostics })) => {
            return Err(Reply::json(
                422,
                &json!({ "error": {
                    "code": "NOT_A_CIRCUIT", "message": message, "diagnostics": diagnostics,
                }}),
            ));
        }
        Err(_) => return Err(Reply::error(500, "INTERNAL", "the compiler has panicked")),
    };
    let found = &artifact.dataflow.circuit;
    if let Some(name) = name.filter(|name| name != found) {
        let message = format!("the body is circuit `{found}`, the path names `{name}`");
        return Err(Reply::error(409, "CONFLICT", &message));
    }
    if !may(principal, found) {
        return Err(forbidden(found));
    }
    Ok(artifact)
}

async fn put(hub: &mpsc::Sender<Command>, artifact: Artifact, replacing: Replacing) -> Answer {
    let on_output = Box::new(|_: &_| {});
    let addition = Box::new(Addition { artifact, replacing, on_output });
    let outcome = change(hub, Change::Install(addition)).await?;
    let status = if replacing == Replacing::Never { 201 } else { 200 };
    Ok(Reply::json(status, &changed(&outcome)))
}

async fn change(hub: &mpsc::Sender<Command>, change: Change) -> Result<Changed, Reply> {
    let (reply, outcome) = oneshot::channel();
    ask(hub, Command::Change { change, reply }).await?;
    outcome.await.map_err(|_| ended())?.map_err(|error| refusal(&error))
}

async fn report(hub: &mpsc::Sender<Command>) -> Result<ServerReport, Reply> {
    let (reply, report) = oneshot::channel();
    ask(hub, Command::Report { reply }).await?;
    report.await.map_err(|_| ended())
}

async fn ask(hub: &mpsc::Sender<Command>, command: Command) -> Result<(), Reply> {
    hub.send(command).await.map_err(|_| ended())
}

fn topology(report: &ServerReport) -> Json {
    let circuits = report.circuits.iter().map(|it| {
        let topics: Vec<&str> = it.topics.iter().map(TopicName::as_str).collect();
        json!({ "name": it.name, "namespace": it.namespace, "topics": topics })
    });
    json!({
        "epoch": report.epoch.0,
        "circuits": circuits.collect::<Vec<_>>(),
        "topics": report.topics.iter().map(topic).collect::<Vec<_>>(),
        "sessions": sessions(&report.sessions),
    })
}

/// Whether the principal looks after the circuit of this name.
fn may(principal: &Principal, name: &str) -> bool {
    // Circuits are named as topics are.
    TopicName::parse(name).is_ok_and(|name| principal.may(Action::Admin, &name))
}

fn only(request: &Request, method: Method) -> Result<(), Reply> {
    if request.method == method { Ok(()) } else { Err(not_allowed("GET")) }
}

fn forbidden(name: &str) -> Reply {
    let message = format!("ask for the grant can_admin:{name}");
    Reply::error(403, "FORBIDDEN", &message)
}

fn not_allowed(methods: &str) -> Reply {
    Reply::error(405, "METHOD_NOT_ALLOWED", &format!("only {methods} can be asked here"))
}

fn bad_query(query: &str) -> Reply {
    Reply::error(400, "BAD_REQUEST", &format!("`{query}` is not known; write force=true"))
}

fn ended() -> Reply {
    Reply::error(503, "UNAVAILABLE", "the server ends")
}

/// Why a change was not made.
fn refusal(error: &ChangeError) -> Reply {
    let (status, code) = match error {
        ChangeError::Installed(_) | ChangeError::Conflict(_) => (409, "CONFLICT"),
        ChangeError::Incompatible { .. } => (409, "INCOMPATIBLE"),
        ChangeError::Unknown(_) => (404, "UNKNOWN_CIRCUIT"),
        ChangeError::Start(_) | ChangeError::Stopped(_) => (500, "INTERNAL"),
        ChangeError::Ended => (503, "UNAVAILABLE"),
    };
    let source = std::error::Error::source(error).map(|source| format!(": {source}"));
    let message = format!("{error}{}", source.unwrap_or_default());
    match error {
        ChangeError::Incompatible { difference, .. } => Reply::json(
            status,
            &json!({ "error": {
                "code": code, "message": message,
                "changes": difference.changes, "effects": difference.effects,
            }}),
        ),
        _ => Reply::error(status, code, &message),
    }
}
