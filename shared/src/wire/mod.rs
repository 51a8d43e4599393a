//! Bytes. In the order in which a state travels: quantized, coded as one entity's update, put into a frame;
//! beside it the messages of the handshake and of the client, by bincode.

pub mod quantize;

pub mod bits;

pub mod prefix;

pub mod symbols;

pub mod tables;

pub mod residual;

pub mod update;

pub mod cadence;

pub mod record;

pub mod training;

pub mod checksum;

pub mod frame;

pub mod message;

pub mod codec;
