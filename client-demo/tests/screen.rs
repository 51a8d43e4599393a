//! The screen, clicked by its labels, without a display: every switch, the link, the chat, the scores, the states, the keys and
//! the fingers. The world behind it is made up.

use eframe::egui::{Event, Key, Modifiers, Pos2, TouchDeviceId, TouchId, TouchPhase, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::Queryable;
use glam::Vec2;
use tickwire_demo::play::controls::{Controls, LinkControls, Toggle};
use tickwire_demo::play::port::{Port, Wish};
use tickwire_demo::play::scene::{BodyView, OwnView, Scene, Status, What};
use tickwire_demo::play::screen::{self, Screen};
use tickwire_shared::NetId;
use tickwire_shared::arena::ArenaInput;

/// A world that obeys the test.
#[derive(Default)]
struct MadeUp {
    scene: Scene,
    input: ArenaInput,
    controls: Option<Controls>,
    wishes: Vec<Wish>,
    is_full: bool,
}

impl Port for MadeUp {
    fn set_input(&mut self, input: ArenaInput) {
        self.input = input;
    }

    fn scene(&mut self, controls: &Controls) -> Scene {
        self.controls = Some(*controls);
        self.scene.clone()
    }

    fn wish(&mut self, wish: Wish) -> bool {
        if !self.is_full {
            self.wishes.push(wish);
        }
        !self.is_full
    }
}

#[derive(Default)]
struct Shown {
    screen: Option<Screen>,
    world: MadeUp,
}

impl Shown {
    fn is_on(&self, toggle: Toggle) -> bool {
        self.world.controls.is_some_and(|controls| controls.is_on(toggle))
    }

    fn link(&self) -> LinkControls {
        self.world.controls.map(|controls| controls.link).unwrap_or_default()
    }
}

fn player(id: u32, name: &str, score: i16) -> BodyView {
    let what = What::Player { aim: 0.0, hp: 70, score, is_dead: false, is_away: id == 3 };
    let position = Vec2::new(id as f32, 4.0);
    let (tier, is_guess) = (0, false);
    BodyView { id: NetId(id), position, what, name: name.into(), colour: 1, tier, is_guess }
}

fn playing() -> Scene {
    let own = OwnView { id: Some(NetId(1)), ..OwnView::default() };
    let bodies = vec![player(2, "bob", 7), player(3, "cid", -2)];
    Scene { status: Status::Playing, own: Some(own), bodies, ..Scene::default() }
}

fn shown(width: f32, scene: Scene) -> Harness<'static, Shown> {
    let world = MadeUp { scene, ..MadeUp::default() };
    let mut harness =
        Harness::builder().with_size(vec2(width, 1500.0)).with_context_setup(screen::set_up).build_ui_state(
            |ui, shown: &mut Shown| {
                let screen = shown.screen.get_or_insert_with(|| Screen::new(ui.ctx(), "ann"));
                screen.show(ui, &mut shown.world);
            },
            Shown { screen: None, world },
        );
    harness.run_steps(3);
    harness
}

fn click(harness: &mut Harness<'_, Shown>, label: &str) {
    harness.get_by_label(label).click();
    harness.run_steps(3);
}

fn press(harness: &mut Harness<'_, Shown>, key: Key) {
    harness.key_press(key);
    harness.run_steps(2);
}

#[test]
fn every_switch_by_click_and_by_key_with_its_reason_beside_it() {
    let mut harness = shown(1000.0, playing());
    let keys = [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6];
    for (toggle, key) in Toggle::ALL.into_iter().zip(keys) {
        let before = harness.state().is_on(toggle);
        click(&mut harness, toggle.label());
        assert_eq!(harness.state().is_on(toggle), !before, "{toggle:?} by click");
        press(&mut harness, key);
        assert_eq!(harness.state().is_on(toggle), before, "{toggle:?} by key");
        harness.get_by_label(toggle.explanation());
    }
    assert_eq!(harness.state().world.controls, Some(Controls::default()), "nothing else was touched");
}

#[test]
fn the_link_by_name_by_key_and_by_slider() {
    let mut harness = shown(1000.0, playing());
    click(&mut harness, "150 ms");
    assert_eq!(harness.state().link().delay_ms, 75, "there and back");
    press(&mut harness, Key::Num7);
    assert_eq!(harness.state().link(), LinkControls::PRESETS[2].1);
    click(&mut harness, "as it is");
    assert_eq!(harness.state().link(), LinkControls::default());
    for (label, value) in [
        ("delay, ms each way", 120),
        ("jitter, ms", 30),
        ("rate, kbit/s (0: any)", 400),
        ("stall, ms every 10 s", 900),
    ] {
        let slider = harness.get_all_by_label(label).next().expect("a slider");
        slider.set_value_accesskit(f64::from(value));
        harness.run_steps(2);
    }
    let wanted = LinkControls { delay_ms: 120, jitter_ms: 30, rate_kbit: 400, stall_ms: 900 };
    assert_eq!(harness.state().link(), wanted);
}

#[test]
fn chat_is_typed_sent_kept_and_forgotten() {
    let mut harness = shown(1000.0, playing());
    let chatted = |harness: &Harness<'_, Shown>| harness.state().world.wishes.clone();
    let typed = |harness: &mut Harness<'_, Shown>, text: &str| {
        harness.event(Event::Text(text.to_owned()));
        harness.run_steps(2);
    };
    click(&mut harness, "Chat");
    typed(&mut harness, "hello 1");
    harness.key_down(Key::W);
    harness.key_press(Key::Num1);
    harness.run_steps(2);
    assert_eq!(harness.state().world.input.walk, [0, 0], "keys are letters now");
    assert!(harness.state().is_on(Toggle::Prediction));
    harness.key_up(Key::W);
    click(&mut harness, "Send");
    assert_eq!(chatted(&harness), [Wish::Chat("hello 1".to_owned())]);
    press(&mut harness, Key::Enter);
    typed(&mut harness, "never said");
    press(&mut harness, Key::Escape);
    press(&mut harness, Key::Enter);
    harness.state_mut().world.is_full = true;
    typed(&mut harness, "later");
    press(&mut harness, Key::Enter);
    assert_eq!(chatted(&harness).len(), 1, "too much was waiting");
    harness.state_mut().world.is_full = false;
    press(&mut harness, Key::Enter);
    assert_eq!(chatted(&harness)[1], Wish::Chat("later".to_owned()), "the line had been kept");
    harness.get_by_label("Chat");
}

#[test]
fn scores_stand_in_order_and_fold() {
    let mut harness = shown(1000.0, playing());
    let top = |name: &str| harness.get_by_label(name).rect().top();
    assert!(top("bob") < top("ann (you)") && top("ann (you)") < top("cid"));
    click(&mut harness, "Scores");
    assert!(harness.query_by_label("bob").is_none());
    press(&mut harness, Key::B);
    assert!(harness.query_by_label("bob").is_some());
    let mut crowd = playing();
    crowd.bodies = (2..40).map(|id| player(id, &format!("no {id}"), id as i16)).collect();
    let harness = shown(1000.0, crowd);
    assert!(harness.query_by_label("no 39").is_some() && harness.query_by_label("no 20").is_none());
    assert!(harness.query_by_label("ann (you)").is_some(), "the own row is always there");
}

#[test]
fn every_state_is_said_in_words_with_its_reason() {
    let states = [
        (Status::Connecting, "Connecting"),
        (Status::Stalled, "The server is silent"),
        (Status::Resuming("reset by peer".to_owned()), "(reset by peer)"),
        (Status::Over("the room is full".to_owned()), "The session is over: the room is full"),
    ];
    for (status, words) in states {
        let harness = shown(1000.0, Scene { status, ..playing() });
        assert!(harness.query_by_label_contains(words).is_some(), "{words}");
    }
    let mut dead = playing();
    dead.own = Some(OwnView { respawn_seconds: 2.0, ..OwnView::default() });
    assert!(shown(1000.0, dead).query_by_label_contains("Back in 2.0 s").is_some());
    let mut harness = shown(1000.0, Scene { status: Status::Over("cut".to_owned()), ..Scene::default() });
    click(&mut harness, "Try again");
    assert_eq!(harness.state().world.wishes, [Wish::Reconnect]);
    let harness = shown(1000.0, playing());
    assert!(harness.query_by_label("Try again").is_none());
}

#[test]
fn on_a_narrow_screen_the_panel_is_below_and_folds() {
    let mut harness = shown(420.0, playing());
    assert!(harness.query_by_label("Prediction").is_none());
    click(&mut harness, "Show net panel");
    let top = harness.get_by_label("Prediction").rect().top();
    assert!(top > 1500.0 / 2.0, "{top}");
    click(&mut harness, "Prediction");
    assert!(!harness.state().is_on(Toggle::Prediction));
    click(&mut harness, "Hide net panel");
    assert!(harness.query_by_label("Prediction").is_none());
    let harness = shown(800.0, playing());
    assert!(harness.get_by_label("Prediction").rect().left() > 400.0, "beside it");
}

#[test]
fn keys_walk_the_mouse_aims_and_fires() {
    let mut harness = shown(1000.0, playing());
    harness.key_down(Key::W);
    harness.key_down(Key::ArrowRight);
    harness.run_steps(2);
    assert_eq!(harness.state().world.input.walk, [90, 90]);
    harness.key_up(Key::W);
    harness.key_up(Key::ArrowRight);
    // The arena's middle: the panel is 320 wide.
    let middle = pos2(340.0, 750.0);
    let quarter = u16::MAX / 4 + 1;
    for (offset, aim) in [(vec2(0.0, -100.0), quarter), (vec2(-100.0, 0.0), 2 * quarter)] {
        harness.hover_at(middle + offset);
        harness.run_steps(2);
        let input = harness.state().world.input;
        assert!(input.aim.abs_diff(aim) < 600, "{} is not {aim}", input.aim);
        assert_eq!((input.walk, input.fire), ([0, 0], false));
    }
    harness.drag_at(middle + vec2(0.0, -100.0));
    harness.run_steps(2);
    assert!(harness.state().world.input.fire);
    harness.drop_at(middle + vec2(0.0, -100.0));
    harness.run_steps(2);
    assert!(!harness.state().world.input.fire);
    harness.key_down(Key::Space);
    harness.run_steps(2);
    assert!(harness.state().world.input.fire);
}

#[test]
fn thumbs_walk_aim_and_fire() {
    let mut harness = shown(420.0, playing());
    let mut touch = |finger: u64, phase: TouchPhase, pos: Pos2| {
        let (device_id, id) = (TouchDeviceId(1), TouchId(finger));
        harness.event(Event::Touch { device_id, id, phase, pos, force: None });
        harness.run_steps(2);
        harness.state().world.input
    };
    touch(1, TouchPhase::Start, pos2(100.0, 1200.0));
    let input = touch(1, TouchPhase::Move, pos2(100.0, 1100.0));
    assert_eq!((input.walk, input.fire), ([0, 127], false));
    assert!(input.aim.abs_diff(u16::MAX / 4) < 10, "it looks where it goes");
    touch(2, TouchPhase::Start, pos2(300.0, 1200.0));
    let input = touch(2, TouchPhase::Move, pos2(360.0, 1200.0));
    assert_eq!((input.walk, input.fire, input.aim), ([0, 127], true, 0));
    touch(1, TouchPhase::End, pos2(100.0, 1100.0));
    let input = touch(2, TouchPhase::End, pos2(360.0, 1200.0));
    assert_eq!((input.walk, input.fire), ([0, 0], false));
}

#[test]
fn on_a_dense_screen_everything_is_as_large() {
    let mut harness = shown(1000.0, playing());
    let size = |harness: &Harness<'_, Shown>| harness.get_by_label("Prediction").rect().size();
    let before = size(&harness);
    harness.set_pixels_per_point(2.0);
    harness.run_steps(1);
    harness.set_size(vec2(1000.0, 1500.0));
    harness.run_steps(3);
    let after = size(&harness);
    assert!((before - after).length() < 2.0, "{before} {after} points");
    harness.event(Event::Key {
        key: Key::A,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: Modifiers::NONE,
    });
    harness.run_steps(2);
    assert_eq!(harness.state().world.input.walk, [-127, 0]);
}
