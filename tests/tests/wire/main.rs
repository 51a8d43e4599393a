//! Bytes: what they are, that the document says the same, and what bad ones do.

mod corpus;
mod document;
mod golden;
mod hostile;
mod reference;
mod schemas;
mod updates;
mod whole_frames;
