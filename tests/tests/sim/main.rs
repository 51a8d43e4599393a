//! The core in virtual time: rooms, clients and links without a socket or a clock.

mod agreement;
mod arena;
mod budget;
mod determinism;
mod feel;
mod gates;
mod hindsight;
mod interest;
mod lag_compensation;
mod nets;
mod overload;
mod recording;
mod replication;
mod resuming;
mod rooms;
mod secrecy;
mod slow_clients;
mod storm;
mod tag;
mod telling;
mod unseen;
mod weights;
mod why;
mod wide;
