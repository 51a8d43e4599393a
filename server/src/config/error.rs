//! Why a configuration cannot be used, in sentences for the operator.

/// Why there is no usable configuration. Each says key, value and what is allowed.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file that was named cannot be read.
    #[error("cannot read the configuration file {path}: {why}")]
    File {
        /// As it was named.
        path: String,
        /// The system's words.
        why: std::io::Error,
    },
    /// A layer holds something that is no configuration.
    #[error("{0}")]
    Layer(Box<figment::Error>),
    /// A layer sets what does not exist.
    #[error(
        "{place}: there is no such key; did you mean {nearest}? `tickwire-server print-config` shows all of them"
    )]
    Unknown {
        /// The key and where it stands.
        place: String,
        /// The key that is most like it, as it would be written there.
        nearest: String,
    },
    /// `PORT` is no port.
    #[error("PORT = `{0}` is not allowed; a port is a number from 0 to 65535")]
    Port(String),
    /// A file that cannot be used, or something else that only trying shows.
    #[error("{key} = {value} cannot be used: {why}")]
    Unusable {
        /// As in the TOML file.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// What is wrong with it.
        why: String,
    },
    /// A value out of its range.
    #[error("{key} = {value} is not allowed; {allowed}")]
    Value {
        /// As in the TOML file.
        key: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be.
        allowed: String,
    },
}
