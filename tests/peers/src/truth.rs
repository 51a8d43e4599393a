//! The world as it has to be: the same scene made again here, and what a client was told of it compared with that. Drones
//! depend on nobody's input, so at each tick all that is told of them has to be right to the last digit.

use std::collections::VecDeque;

use peers_scene::{Scene, Seen};

/// Ticks that are remembered; clients may be that late.
const REMEMBERED: usize = 150;
/// In cm: what is nearer must be in view, what is farther must not. Views are looked at every sixth tick.
const NEAR: i64 = 9_600;
const FAR: i64 = 11_200;

/// What a client was told last.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The scene's tick.
    pub tick: u32,
    /// By entity.
    pub entities: Vec<Option<Seen>>,
    /// By entity: in view, but not told of at this tick, and the client knows that. Not compared, but counted.
    pub waiting: Vec<bool>,
}

impl View {
    /// Nothing is known of any of so many entities.
    #[must_use]
    pub fn new(entities: usize) -> Self {
        Self { tick: 0, entities: vec![None; entities], waiting: vec![false; entities] }
    }

    /// How many are in view.
    #[must_use]
    pub fn count(&self) -> usize {
        self.entities.iter().flatten().count()
    }
}

/// The drones of a scene, tick by tick.
pub struct Truth {
    scene: Scene,
    /// Coordinates may be off by so many cm.
    slack: i32,
    radius: bool,
    holds_back: bool,
    history: VecDeque<Vec<Seen>>,
}

/// What came of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Drones that were as they have to be.
    pub right: u64,
    /// Those of which this tick said nothing, on purpose.
    pub waiting: u64,
    /// The first that was not.
    pub wrong: Option<String>,
}

impl Truth {
    /// From tick 0 on.
    #[must_use]
    pub fn new(size_m: i32, drones: usize, radius: bool, slack: i32) -> Self {
        let scene = Scene::new(size_m, drones, 0);
        Self { scene, slack, radius, holds_back: false, history: VecDeque::new() }
    }

    /// The server may tell of something later, on purpose, where more would queue up. That is counted.
    #[must_use]
    pub fn with_holding_back(self) -> Self {
        Self { holds_back: true, ..self }
    }

    fn at(&mut self, tick: u32) -> Option<&Vec<Seen>> {
        while self.scene.tick() < tick {
            self.scene.step(|_| peers_scene::Input::default());
            let drones = (0..self.scene.drones()).map(|drone| self.scene.seen(drone)).collect();
            self.history.push_back(drones);
            if self.history.len() > REMEMBERED {
                self.history.pop_front();
            }
        }
        let back = self.scene.tick().checked_sub(tick)? as usize;
        self.history.len().checked_sub(back + 1).and_then(|at| self.history.get(at))
    }

    /// Compares what was told with what is. `own` is where the client is, if it knows.
    pub fn check(&mut self, view: &View, own: Option<Seen>) -> Verdict {
        let (slack, radius, holds_back) = (self.slack, self.radius, self.holds_back);
        let Some(drones) = self.at(view.tick) else { return Verdict::default() };
        let mut verdict = Verdict::default();
        let complain = |what: &str, drone: usize, told: Option<Seen>| {
            Some(format!("tick {}: drone {drone} {what}: told {told:?}, is {:?}", view.tick, drones[drone]))
        };
        for (drone, is) in drones.iter().enumerate() {
            let told = view.entities[drone];
            let distance_squared = own.map(|own| {
                let (x, y) = (i64::from(is.x - own.x), i64::from(is.y - own.y));
                x * x + y * y
            });
            let must = !radius || distance_squared.is_some_and(|distance| distance < NEAR * NEAR);
            let may = !radius || distance_squared.is_none_or(|distance| distance < FAR * FAR);
            match told {
                Some(_) if may && view.waiting[drone] => verdict.waiting += 1,
                Some(_) if !may => verdict.wrong = complain("is out of reach", drone, told),
                None if must && holds_back => verdict.waiting += 1,
                None if must => verdict.wrong = complain("is missing", drone, told),
                Some(told) if !same(&told, is, slack) => {
                    verdict.wrong = complain("differs", drone, Some(told));
                }
                Some(_) => verdict.right += 1,
                None => {}
            }
            if verdict.wrong.is_some() {
                break;
            }
        }
        verdict
    }
}

fn same(told: &Seen, is: &Seen, slack: i32) -> bool {
    let near = |a: i32, b: i32| (a - b).abs() <= slack;
    near(told.x, is.x)
        && near(told.y, is.y)
        && (told.heading, told.hp, told.state) == (is.heading, is.hp, is.state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named() {
        let mut truth = Truth::new(300, 20, false, 0);
        let mut scene = Scene::new(300, 20, 3);
        for _ in 0..40 {
            scene.step(|_| peers_scene::Input::default());
        }
        let mut view = View::new(23);
        view.tick = 40;
        for entity in 0..23 {
            view.entities[entity] = Some(scene.seen(entity));
        }
        assert_eq!(truth.check(&view, None), Verdict { right: 20, ..Verdict::default() });
        let spoils: [fn(&mut Seen); 3] = [|seen| seen.x += 1, |seen| seen.heading ^= 1, |seen| seen.hp -= 1];
        for spoil in spoils {
            let mut spoiled = view.clone();
            spoil(spoiled.entities[7].as_mut().expect("all are there"));
            assert!(truth.check(&spoiled, None).wrong.is_some_and(|what| what.contains("drone 7 differs")));
        }
        view.entities[3] = None;
        assert!(truth.check(&view, None).wrong.is_some_and(|what| what.contains("drone 3 is missing")));
    }
}
