//! What the screen asks of whoever owns the session: a thread with a socket, a browser's page, or a test's made-up world.

use tickwire_shared::arena::ArenaInput;

use super::controls::Controls;
use super::scene::Scene;

/// The other side of the screen. Asked in this order, once per drawn frame.
pub trait Port {
    /// From now on this is what the hands do.
    fn set_input(&mut self, input: ArenaInput);

    /// What there is to see now, with these switches and over this link.
    fn scene(&mut self, controls: &Controls) -> Scene;

    /// Passes a wish on; says `false` when too many are waiting.
    #[must_use]
    fn wish(&mut self, wish: Wish) -> bool;
}

/// What a player wants besides walking and shooting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Say something to everybody.
    Chat(String),
    /// Try again after the session has ended.
    Reconnect,
}
