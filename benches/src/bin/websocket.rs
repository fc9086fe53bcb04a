//! From a websocket in to a delta out: one row at a time, through the whole server.
//!
//! `cargo xtask bench websocket [--rounds N]`: a client publishes a row and waits for the delta that
//! it comes to, beside the bare echo of a text of the same length over the same websocket library.
//! Both servers run on threads of their own on loopback, and the blocks of rounds run in turn.

#![expect(clippy::print_stdout, reason = "the figures are what this program is for")]
#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arqon_benches::{median, percentile, spread};
use arqon_client::{Client, Delivery, Message, Options, Subscribe, Subscription};
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
/// Nothing on loopback takes as long.
const DEADLINE: Duration = Duration::from_secs(120);

type Outcome<T> = Result<T, Box<dyn Error>>;

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
    match measure(n_rounds) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
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
    server.finish(1001)?;
    let [bus, echo] = measured??;
    print(n_rounds, &bus, &echo);
    Ok(())
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
    println!("### websocket: {BLOCKS} blocks of {n_rounds} rows each, one at a time, in turn\n");
    println!("| side | p50 us | p99 us | p50 of a block, times that of the echo |");
    println!("| --- | --- | --- | --- |");
    let of_blocks = |blocks: &[Vec<f64>], percent| -> Vec<f64> {
        blocks.iter().map(|block| percentile(block, percent)).collect()
    };
    let (bus_p50, echo_p50) = (of_blocks(bus, 50), of_blocks(echo, 50));
    let ratios: Vec<f64> = bus_p50.iter().zip(&echo_p50).map(|(bus, echo)| bus / echo).collect();
    println!(
        "| a row in to its delta out | {:.0} | {:.0} | {} |",
        median(&bus_p50),
        median(&of_blocks(bus, 99)),
        spread(&ratios),
    );
    println!(
        "| bare echo of 256 bytes | {:.0} | {:.0} | |\n",
        median(&echo_p50),
        median(&of_blocks(echo, 99))
    );
}
