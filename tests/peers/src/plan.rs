//! What can be measured: peers, cells, how inputs change, and the order in which a series goes through them. Plain values.

use std::time::Duration;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Of all peers.
pub const TICK_HZ: u32 = 30;
/// The time between two of them.
pub const TICK: Duration = Duration::from_micros(33_333);

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Peer {
    /// This project, with the server's defaults.
    Tickwire,
    /// Plain writes of what Tickwire's clients were sent before, and reads of what they send.
    Floor,
    /// tokio-tungstenite, the full state by bincode.
    Bincode,
    /// Colyseus 0.18; with `StateView` where not everybody sees everything.
    Colyseus,
    /// `ws`, the full state as JSON.
    Ws,
    /// socket.io, what changed as JSON.
    Socketio,
    /// bevy_replicon over aeronet_websocket.
    Replicon,
}

impl Peer {
    /// In the order in which they run: the floor needs what Tickwire's clients were sent.
    pub const ALL: [Self; 7] = [
        Self::Tickwire,
        Self::Floor,
        Self::Bincode,
        Self::Colyseus,
        Self::Ws,
        Self::Socketio,
        Self::Replicon,
    ];

    /// For tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Tickwire => "Tickwire",
            Self::Floor => "floor: send + receive",
            Self::Bincode => "tokio-tungstenite + bincode",
            Self::Colyseus => "Colyseus",
            Self::Ws => "ws + JSON",
            Self::Socketio => "socket.io, JSON deltas",
            Self::Replicon => "bevy_replicon, aeronet",
        }
    }
}

/// A workload.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cell {
    /// 50 players and 150 drones, all see all.
    #[value(name = "50")]
    All50,
    /// 100 and 400.
    #[value(name = "100")]
    All100,
    /// 200 and 300.
    #[value(name = "200")]
    All200,
    /// 500 and 2,000 in 1 km², seen up to 100 m.
    #[value(name = "interest")]
    Interest500,
    /// 250 rigid bodies, 20 clients see all.
    #[value(name = "bodies")]
    Bodies,
}

impl Cell {
    /// For tables.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::All50 => "50 players, 150 drones, all see all",
            Self::All100 => "100 players, 400 drones, all see all",
            Self::All200 => "200 players, 300 drones, all see all",
            Self::Interest500 => "500 players, 2,000 drones in 1 km², seen up to 100 m",
            Self::Bodies => "250 tumbling rigid bodies, 20 clients see all",
        }
    }

    /// Clients.
    #[must_use]
    pub fn players(self) -> usize {
        match self {
            Self::All50 => 50,
            Self::All100 => 100,
            Self::All200 => 200,
            Self::Interest500 => 500,
            Self::Bodies => 20,
        }
    }

    /// Besides.
    #[must_use]
    pub fn drones(self) -> usize {
        match self {
            Self::All50 => 150,
            Self::All100 => 400,
            Self::All200 => 300,
            Self::Interest500 => 2000,
            Self::Bodies => 250,
        }
    }

    /// The arena's side in metres.
    #[must_use]
    pub fn size_m(self) -> i32 {
        if self == Self::Interest500 { 1000 } else { 300 }
    }

    /// Whether clients see only what is near.
    #[must_use]
    pub fn radius(self) -> bool {
        self == Self::Interest500
    }
}

/// How often a client's input changes, and so is sent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Inputs {
    /// A mouse in motion: 30 a second.
    EachTick,
    /// Keys that are held for half a second.
    OnChange,
}

/// What a server is told on its command line.
#[derive(Clone, Copy, Debug)]
pub struct ServerArguments {
    /// On loopback.
    pub port: u16,
    /// The arena's side.
    pub size_m: i32,
    /// Entities that nobody plays.
    pub drones: usize,
    /// Seats.
    pub players: usize,
    /// Whether clients see only what is near.
    pub radius: bool,
}

impl ServerArguments {
    /// From the command line.
    ///
    /// # Panics
    /// With the usage, when it is another one.
    #[must_use]
    pub fn read() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u32>().ok());
        let (Some(port), Some(size), Some(drones), Some(players)) =
            (number(0), number(1), number(2), number(3))
        else {
            panic!("usage: PORT SIZE_M DRONES PLAYERS all|radius");
        };
        Self {
            port: port as u16,
            size_m: size as i32,
            drones: drones as usize,
            players: players as usize,
            radius: words.get(4).is_some_and(|view| view == "radius"),
        }
    }

    /// For a server of another process.
    #[must_use]
    pub fn words(&self) -> [String; 5] {
        let view = if self.radius { "radius" } else { "all" };
        [
            self.port.to_string(),
            self.size_m.to_string(),
            self.drones.to_string(),
            self.players.to_string(),
            view.to_owned(),
        ]
    }
}
