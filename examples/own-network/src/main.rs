//! `cargo run --release -- export | eval | predict | report | bundle`

use own_network::CARD;
use own_network::flowers::{Flowers, read};
use own_network::network::FlowerNet;

kiln::main!(FlowerNet, CARD, |path| Ok(Flowers(read(path, true)?)));
