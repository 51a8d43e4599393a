//! The client for JavaScript and TypeScript: the class `Session` over [`tickwire_kit`]. Runs inside the page's calls; knows no
//! game, no socket and no clock. `cargo xtask js` makes a package of it; `types.d.ts` is what callers see of plain objects.

mod incoming;

mod objects;

mod arrays;

mod session;

mod bug;

pub use session::Session;
