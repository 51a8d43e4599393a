//! The scene on bevy_replicon 0.41 over aeronet_websocket 0.21, shown at its best: components that change together in one,
//! written only when they change, one update of the app per tick, no check of the protocol's hash, inputs unreliable.
//!
//! `replicon-peer PORT SIZE_M DRONES PLAYERS all|radius`

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aeronet_replicon::server::{AeronetRepliconServer, AeronetRepliconServerPlugin};
use aeronet_websocket::server::{ServerConfig, WebSocketServer, WebSocketServerPlugin};
use bevy::app::ScheduleRunnerPlugin;
use bevy::ecs::schedule::ScheduleLabel;
use bevy::prelude::*;
use bevy::state::app::StatesPlugin;
use bevy_replicon::prelude::*;
use bevy_replicon::server::server_tick::ServerTick;
use bevy_replicon::server::visibility::client_visibility::ClientVisibility;
use bevy_replicon::server::visibility::filters_mask::FilterBit;
use bevy_replicon::server::visibility::registry::FilterRegistry;
use bevy_replicon::shared::replication::registry::ReplicationRegistry;
use peers_scene::{Interest, Scene, Seen};
use serde::{Deserialize, Serialize};

const TICK_HZ: u32 = 30;

/// The entity's number in the scene; told once.
#[derive(Component, Serialize, Deserialize)]
struct Id(u16);

#[derive(Component, Serialize, Deserialize, PartialEq)]
struct Place {
    x: u32,
    y: u32,
}

#[derive(Component, Serialize, Deserialize, PartialEq)]
struct Heading(u16);

#[derive(Component, Serialize, Deserialize, PartialEq)]
struct Vitals {
    hp: u8,
    state: u8,
}

/// What a player wants, and which player it is.
#[derive(Message, Serialize, Deserialize)]
struct Held {
    player: u16,
    walk: [i8; 2],
    aim: u16,
    fire: bool,
}

#[derive(Resource)]
struct Arena {
    scene: Scene,
    interest: Interest,
    drones: usize,
    radius: bool,
    inputs: Vec<peers_scene::Input>,
    entities: Vec<Entity>,
    players: HashMap<Entity, usize>,
    /// Of entities that a client does not see.
    hidden: FilterBit,
}

/// On a client from which everything has been hidden.
#[derive(Component)]
struct Blind;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words[at].parse::<u32>().expect("PORT SIZE_M DRONES PLAYERS all|radius");
    let (port, size_m, drones, players) =
        (number(0) as u16, number(1) as i32, number(2) as usize, number(3) as usize);
    let radius = words.get(4).is_some_and(|view| view == "radius");
    let mut app = App::new();
    app.add_plugins((
        MinimalPlugins.build().disable::<ScheduleRunnerPlugin>(),
        StatesPlugin,
        RepliconPlugins
            .build()
            .set(RepliconSharedPlugin { auth_method: AuthMethod::None })
            .set(ServerPlugin { tick_schedule: Some(PostUpdate.intern()), ..ServerPlugin::default() }),
        WebSocketServerPlugin,
        AeronetRepliconServerPlugin,
    ))
    .replicate::<Id>()
    .replicate::<Place>()
    .replicate::<Heading>()
    .replicate::<Vitals>()
    .add_client_message::<Held>(Channel::Unreliable)
    .add_systems(Update, (blind, hear, step, look).chain().run_if(in_state(ServerState::Running)));
    let hidden = app.world_mut().resource_scope(|world, mut filters: Mut<FilterRegistry>| {
        world.resource_scope(|world, mut registry: Mut<ReplicationRegistry>| {
            filters.register_scope::<Entity>(world, &mut registry)
        })
    });
    let scene = Scene::new(size_m, drones, players);
    let entities = (0..scene.len())
        .map(|entity| {
            let Seen { x, y, heading, hp, state } = scene.seen(entity);
            let place = Place { x: x as u32, y: y as u32 };
            let (heading, vitals) = (Heading(heading as u16), Vitals { hp: hp as u8, state: state as u8 });
            app.world_mut().spawn((Replicated, Id(entity as u16), place, heading, vitals)).id()
        })
        .collect();
    app.insert_resource(Arena {
        interest: Interest::new(size_m, scene.len(), players),
        inputs: vec![peers_scene::Input::default(); players],
        players: HashMap::new(),
        scene,
        drones,
        radius,
        entities,
        hidden,
    });
    let config =
        ServerConfig::builder().with_bind_address(([127, 0, 0, 1], port).into()).with_no_encryption();
    app.world_mut().commands().spawn(AeronetRepliconServer).queue(WebSocketServer::open(config));
    app.world_mut().flush();
    app.finish();
    app.cleanup();
    let start = Instant::now();
    for tick in 1_u32.. {
        app.update();
        // The port opens during the first updates.
        if tick == 6 {
            println!("ready bevy 0.19 bevy_replicon 0.41 aeronet_websocket 0.21");
        }
        let due = start + Duration::from_secs(1) * tick / TICK_HZ;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

/// Whoever is new sees nothing until it is known where it looks from.
fn blind(
    arena: Res<Arena>,
    mut clients: Query<(Entity, &mut ClientVisibility), Without<Blind>>,
    mut commands: Commands,
) {
    for (client, mut visibility) in &mut clients {
        if arena.radius {
            arena.entities.iter().for_each(|entity| visibility.set(*entity, arena.hidden, false));
        }
        commands.entity(client).insert(Blind);
    }
}

fn hear(mut arena: ResMut<Arena>, mut messages: MessageReader<FromClient<Held>>) {
    for FromClient { client_id, message: Held { player, walk, aim, fire } } in messages.read() {
        let player = usize::from(*player);
        if let ClientId::Client(client) = client_id
            && player < arena.inputs.len()
        {
            arena.players.insert(*client, player);
            arena.inputs[player] = peers_scene::Input { walk: *walk, aim: *aim, fire: *fire };
        }
    }
}

fn step(
    mut arena: ResMut<Arena>,
    tick: Res<ServerTick>,
    mut told: Query<(&Id, &mut Place, &mut Heading, &mut Vitals)>,
) {
    let Arena { scene, inputs, .. } = &mut *arena;
    scene.step(|player| inputs[player]);
    assert_eq!(scene.tick(), tick.get() + 1, "the tick to be sent is the scene's");
    for (id, mut place, mut heading, mut vitals) in &mut told {
        let seen = scene.seen(usize::from(id.0));
        place.set_if_neq(Place { x: seen.x as u32, y: seen.y as u32 });
        heading.set_if_neq(Heading(seen.heading as u16));
        vitals.set_if_neq(Vitals { hp: seen.hp as u8, state: seen.state as u8 });
    }
}

fn look(mut arena: ResMut<Arena>, mut clients: Query<(Entity, &mut ClientVisibility), With<Blind>>) {
    let Arena { scene, interest, drones, radius, entities, players, hidden, .. } = &mut *arena;
    if !*radius {
        return;
    }
    let seen: Vec<Seen> = (0..scene.len()).map(|entity| scene.seen(entity)).collect();
    interest.place(&seen);
    for (client, mut visibility) in &mut clients {
        let Some(player) = players.get(&client).copied() else { continue };
        if !interest.is_due(player, scene.tick()) {
            continue;
        }
        let changes = interest.look(player, *drones + player, &seen);
        changes.entered.iter().for_each(|entity| visibility.set(entities[*entity], *hidden, true));
        changes.left.iter().for_each(|entity| visibility.set(entities[*entity], *hidden, false));
    }
}
