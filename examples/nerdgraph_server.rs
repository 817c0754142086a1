//! A NerdGraph server of a team that does not exist, for trying `fortnight` out and for measuring.
//!
//! ```console
//! $ cargo run --release --example nerdgraph_server -- 8787 [APPLICATIONS [TRANSACTIONS]]
//! $ NEW_RELIC_API_KEY=NRAK-CANARY-0123456789ABCDEF fortnight collect -c fortnight.toml   # endpoint = "http://127.0.0.1:8787/graphql"
//! ```

#[path = "../tests/support/servers/mod.rs"]
#[allow(missing_docs, reason = "tests need none")]
mod servers;

use std::net::TcpListener;

use fortnight::model::clock::Clock;
use servers::nerdgraph::{KEY, NerdGraph};
use servers::world::World;

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>().expect("a number"));
    let port = numbers.next().unwrap_or(8787);
    let world = World {
        applications: numbers.next().unwrap_or(3),
        transactions: numbers.next().unwrap_or(4),
        now: Clock::System.now(),
        stands_still: false,
        ..World::default()
    };
    let listener = TcpListener::bind(("127.0.0.1", port as u16)).expect("the port is free");
    let server = NerdGraph::start_on(listener, world, Box::new(|_| None)).await;
    #[expect(clippy::print_stdout, reason = "an example talks to the one who started it")]
    {
        println!("endpoint = \"{}\", account = \"1\", key {KEY}", server.endpoint());
    }
    std::future::pending::<()>().await;
}
