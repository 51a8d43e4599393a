//! Which proxies stand in front of the server, and what is believed of them.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse, spans, units};

/// Most networks that may be listed.
const TRUSTED_MAX: usize = 64;

/// Proxies in front of the public port.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxySection {
    /// Networks of proxies that are believed, like `10.0.0.0/8` or `127.0.0.1/32`. Nobody else is.
    pub trusted: Vec<IpNet>,
    /// The one header that names the client. A proxy must overwrite it or append to it; any other is ignored.
    pub header: ForwardedHeader,
    /// Whether connections from these networks begin with a PROXY header.
    pub protocol: ProxyProtocol,
    /// For that header to arrive.
    #[serde(with = "units::duration")]
    pub protocol_deadline: Duration,
}

/// In which header a proxy names the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`, with `X-Forwarded-Proto`.
    XForwardedFor,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// The PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProxyProtocol {
    /// Not spoken.
    Off,
    /// Version 2, which every connection from a trusted network must begin with.
    V2,
}

impl Default for ProxySection {
    fn default() -> Self {
        Self {
            trusted: Vec::new(),
            header: ForwardedHeader::XForwardedFor,
            protocol: ProxyProtocol::Off,
            protocol_deadline: Duration::from_secs(5),
        }
    }
}

impl ProxySection {
    /// Whether what this address says of others is believed.
    #[must_use]
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted.iter().any(|network| network.contains(&address))
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.trusted.len() > TRUSTED_MAX {
            let allowed = format!("list at most {TRUSTED_MAX} networks");
            return Err(refuse("proxy.trusted", format!("{} networks", self.trusted.len()), &allowed));
        }
        if let Some(network) = self.trusted.iter().find(|network| network.prefix_len() == 0) {
            let allowed = "that is everybody; name the networks of the proxies";
            return Err(refuse("proxy.trusted", network, allowed));
        }
        if self.protocol == ProxyProtocol::V2 && self.trusted.is_empty() {
            let allowed = "a PROXY header is taken from trusted networks only: set proxy.trusted too";
            return Err(refuse("proxy.protocol", "v2", allowed));
        }
        spans("proxy.protocol_deadline", self.protocol_deadline, Duration::from_millis(10))
    }
}
