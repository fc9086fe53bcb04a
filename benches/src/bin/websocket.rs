//! From a websocket in to a delta out: one row at a time, and many, through the whole server.
//!
//! `cargo xtask bench websocket [--rounds N]`: a client publishes a row and waits for the delta that
//! it comes to, beside the bare echo of a text of the same length over the same websocket library.
//! Both servers run on threads of their own on loopback, and the blocks of rounds run in turn. Then
//! clients publish rows without waiting, until a subscriber has seen the last of them counted; and
//! clients publish one row each and wait until it is applied, all at once.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arqon_bench_report::{Aim, Meant, Table, median, percentile, spread};
use arqon_benches::settings::{Outcome, exit};
use arqon_client::{AckMode, Client, Delivery, Message, Options, Subscribe, Subscription};
use arqon_engine::EngineOptions;
use arqon_server::{EdgeOptions, Idle, Server, ServerOptions, random_secret};
use arqon_shield::Settings;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{WebSocketStream, accept_async, client_async};

const CIRCUIT: &str = "
arqon: 1
circuit: bench
schemas:
  Order:   { id: int64, region: string, amount: decimal<2> }
  Revenue: { region: string, revenue: decimal<2>, orders: int64 }
topics:
  orders:  { schema: Order, carries: full, key: id, edge: in, durable: false }
  revenue: { schema: Revenue, carries: delta, key: region, edge: out, durable: false }
flow:
  by_region:
    from: orders
    do:
      - group: [region]
        agg: { revenue: sum(amount), orders: count() }
    to: revenue
access:
  writer: { publish: [orders], subscribe: [revenue] }
";

/// Blocks of rounds of each side.
const BLOCKS: usize = 7;
/// Blocks of those that measure how much goes through.
const MANY_BLOCKS: usize = 5;
/// Rows of such a block.
const MANY_ROWS: usize = 40_000;
/// Clients that wait for their rows, all at once.
const CROWD: usize = 16;
/// Nothing on loopback takes as long.
const DEADLINE: Duration = Duration::from_secs(120);

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let n_rounds = match args.as_slice() {
        [] => Some(1_000),
        [flag, number] if flag == "--rounds" => number.parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    let Some(n_rounds) = n_rounds else {
        println!("usage: websocket [--rounds N]");
        return ExitCode::from(2);
    };
    exit(measure(n_rounds))
}

fn measure(n_rounds: usize) -> Outcome<()> {
    let compiled =
        arqon_compiler::compile(CIRCUIT, "bench.yaml", &arqon_compiler::Options::default());
    let plan = compiled.dataflow.ok_or("the bench's circuit does not compile")?;
    let listen = "127.0.0.1:0".parse()?;
    let secret = random_secret()?;
    let edge = EdgeOptions { listen, settings: Settings::default(), secret };
    let engine = EngineOptions::default();
    let options = ServerOptions { engine, edge: Some(edge), clock: None, idle: Idle::Tick };
    let server = Server::start(plan, options, |_| {})?;
    let url = format!("ws://{}", server.address().ok_or("the edge does not listen")?);
    let token = server.token().ok_or("the edge has no topics")?.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let measured = runtime
        .block_on(async { tokio::time::timeout(DEADLINE, rounds(&url, &token, n_rounds)).await });
    let [bus, echo] = measured??;
    print(n_rounds, &bus, &echo);
    let many = runtime.block_on(async { tokio::time::timeout(DEADLINE, many(&url, &token)).await });
    print_many(&many??);
    server.finish(1001)?;
    Ok(())
}

/// How much goes through.
struct Many {
    n_clients: usize,
    /// Whether a client waits until its row is applied before it publishes the next.
    waits: bool,
    /// Thousands of rows a second, of each block.
    rates: Vec<f64>,
    /// How long a row takes whose client waits, in microseconds.
    times: Vec<f64>,
}

async fn many(url: &str, token: &str) -> Outcome<Vec<Many>> {
    let mut all = Vec::new();
    for (n_clients, waits) in [(1, false), (8, false), (CROWD, true)] {
        let mut many = Many { n_clients, waits, rates: Vec::new(), times: Vec::new() };
        // The first block warms up.
        for block in 0..=MANY_BLOCKS {
            let start = Instant::now();
            let (n_rows, times) = if waits {
                crowd(url, token, n_clients).await?
            } else {
                (MANY_ROWS, pipelined(url, token, (n_clients, block)).await?)
            };
            if 0 < block {
                many.rates
                    .push(f64::from(u32::try_from(n_rows)?) / start.elapsed().as_secs_f64() / 1e3);
                many.times.extend(times);
            }
        }
        all.push(many);
    }
    Ok(all)
}

/// Publishes rows of new keys without waiting, until they are all counted.
async fn pipelined(
    url: &str,
    token: &str,
    (n_clients, block): (usize, usize),
) -> Outcome<Vec<f64>> {
    let watcher = Options::json().connect(url, token).await?;
    let mut revenue = watcher.subscribe(Subscribe::to("revenue")).await?;
    let wanted = more_orders(&mut revenue).await? + i64::try_from(MANY_ROWS)?;
    let mut clients = tokio::task::JoinSet::new();
    for at in 0..n_clients {
        let client = Options::json().connect(url, token).await?;
        clients.spawn(async move {
            let base = 1_000_000 * (1 + at + 100 * (block + 10 * n_clients));
            for id in 0..MANY_ROWS / n_clients {
                client.send(Message::row("orders", row(base + id))).await?;
            }
            client.close().await;
            Ok::<(), arqon_client::SessionError>(())
        });
    }
    let mut n_orders = wanted - i64::try_from(MANY_ROWS)?;
    while n_orders < wanted {
        n_orders += more_orders(&mut revenue).await?;
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    watcher.close().await;
    Ok(Vec::new())
}

/// By how much the next delta raises the number of orders.
async fn more_orders(revenue: &mut Subscription) -> Outcome<i64> {
    loop {
        let delivery = revenue.next().await.ok_or("the subscription has ended")??;
        let Delivery::Delta { changes, .. } = delivery else { continue };
        let mut n_orders = 0;
        for change in changes {
            let row: serde_json::Value = serde_json::from_str(&change.row)?;
            n_orders += change.diff * row["orders"].as_i64().ok_or("no number of orders")?;
        }
        return Ok(n_orders);
    }
}

/// Clients that publish one row each at a time, and wait until it is applied.
async fn crowd(url: &str, token: &str, n_clients: usize) -> Outcome<(usize, Vec<f64>)> {
    let n_rounds = MANY_ROWS / 4 / n_clients;
    let mut clients = tokio::task::JoinSet::new();
    for at in 0..n_clients {
        let client = Options::json().connect(url, token).await?;
        clients.spawn(async move {
            let mut times = Vec::with_capacity(n_rounds);
            for round in 0..n_rounds {
                let message = Message::row("orders", row(at * n_rounds + round));
                let start = Instant::now();
                client.publish(message.with_ack(AckMode::Applied)).await?;
                times.push(start.elapsed().as_secs_f64() * 1e6);
            }
            client.close().await;
            Ok::<Vec<f64>, arqon_client::SessionError>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = clients.join_next().await {
        times.extend(done??);
    }
    Ok((n_rounds * n_clients, times))
}

fn print_many(all: &[Many]) {
    let table = Table::begin(
        format!("websocket: {MANY_BLOCKS} blocks of many rows"),
        &["clients", "thousand rows a second", "p50 us", "p99 us"],
    );
    for Many { n_clients, waits, rates, times } in all {
        let what = if *waits { "each waits until its row is applied" } else { "none waits" };
        let at = |percent| {
            if times.is_empty() {
                String::new()
            } else {
                format!("{:.0}", percentile(times, percent))
            }
        };
        let clients = format!("{n_clients}, {what}");
        table.row(&[&clients, &spread(rates), &at(50), &at(99)]);
    }
    table.end();
}

/// The blocks of rounds of both sides, in microseconds.
async fn rounds(url: &str, token: &str, n_rounds: usize) -> Outcome<[Vec<Vec<f64>>; 2]> {
    let client = Options::json().connect(url, token).await?;
    let mut revenue = client.subscribe(Subscribe::to("revenue")).await?;
    let mut echo = echo_client(echo_server()?).await?;
    let [mut bus_blocks, mut echo_blocks] = [Vec::new(), Vec::new()];
    // The first block of each side warms it up.
    for block in 0..=BLOCKS {
        let mut times = Vec::with_capacity(n_rounds);
        for round in 0..n_rounds {
            times.push(through_bus(&client, &mut revenue, block * n_rounds + round).await?);
        }
        let mut echoes = Vec::with_capacity(n_rounds);
        for round in 0..n_rounds {
            echoes.push(through_echo(&mut echo, block * n_rounds + round).await?);
        }
        if 0 < block {
            bus_blocks.push(times);
            echo_blocks.push(echoes);
        }
    }
    client.close().await;
    echo.close(None).await?;
    Ok([bus_blocks, echo_blocks])
}

fn row(id: usize) -> String {
    format!(r#"{{"id":{id},"region":"region-{}","amount":"{}.25"}}"#, id % 10, id % 1_000)
}

/// From publishing a row to having the delta of its group.
async fn through_bus(client: &Client, revenue: &mut Subscription, id: usize) -> Outcome<f64> {
    let message = Message::row("orders", row(id));
    let start = Instant::now();
    client.send(message).await?;
    loop {
        match revenue.next().await.ok_or("the subscription has ended")?? {
            Delivery::Delta { changes, .. } if !changes.is_empty() => break,
            _ => {}
        }
    }
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// What goes over the wire of a row and its delta, as long as the longer of both.
async fn through_echo(echo: &mut WebSocketStream<TcpStream>, id: usize) -> Outcome<f64> {
    let text = format!("{:<256}", row(id));
    let start = Instant::now();
    echo.send(Frame::text(text)).await?;
    echo.next().await.ok_or("the echo has ended")??;
    Ok(start.elapsed().as_secs_f64() * 1e6)
}

/// A server that sends back what it is sent, on a thread of its own.
fn echo_server() -> Outcome<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || {
        runtime.block_on(async {
            let (stream, _) = TcpListener::from_std(listener).ok()?.accept().await.ok()?;
            stream.set_nodelay(true).ok()?;
            let mut socket = accept_async(stream).await.ok()?;
            while let Some(Ok(frame)) = socket.next().await {
                if frame.is_text() {
                    socket.send(frame).await.ok()?;
                }
            }
            Some(())
        })
    });
    Ok(address)
}

async fn echo_client(address: SocketAddr) -> Outcome<WebSocketStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (socket, _) = client_async(format!("ws://{address}"), stream).await?;
    Ok(socket)
}

fn print(n_rounds: usize, bus: &[Vec<f64>], echo: &[Vec<f64>]) {
    let mut table = Table::begin(
        format!("websocket: {BLOCKS} blocks of {n_rounds} rows each, one at a time, in turn"),
        &["side", "p50 us", "p99 us", "p50 of a block, times that of the echo"],
    );
    let of_blocks = |blocks: &[Vec<f64>], percent| -> Vec<f64> {
        blocks.iter().map(|block| percentile(block, percent)).collect()
    };
    let (bus_p50, echo_p50) = (of_blocks(bus, 50), of_blocks(echo, 50));
    let ratios: Vec<f64> = bus_p50.iter().zip(&echo_p50).map(|(bus, echo)| bus / echo).collect();
    table.row(&[
        &"a row in to its delta out",
        &format_args!("{:.0}", median(&bus_p50)),
        &format_args!("{:.0}", median(&of_blocks(bus, 99))),
        &spread(&ratios),
    ]);
    table.row(&[
        &"bare echo of 256 bytes",
        &format_args!("{:.0}", median(&echo_p50)),
        &format_args!("{:.0}", median(&of_blocks(echo, 99))),
        &"",
    ]);
    table.aim(Aim {
        what: "websocket: a row in to its delta out, p50".to_owned(),
        meant: Meant::AtMost(1_000.0),
        measured: bus_p50,
        unit: " us",
    });
    let what = "websocket: the same, times the bare echo";
    table.aim(Aim::times(what, Meant::AtMost(2.0), ratios));
    table.end();
}
