//! Asks a server how it is: one GET, so that containers need no curl.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long it may take.
const DEADLINE: Duration = Duration::from_secs(3);

/// Asks one thing; what comes back is the whole answer, head and all.
pub(crate) fn get(
    address: SocketAddr,
    host: &str,
    path: &str,
    deadline: Duration,
) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, deadline)?;
    stream.set_read_timeout(Some(deadline))?;
    stream.set_write_timeout(Some(deadline))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

pub(crate) fn healthcheck(url: &str) -> Result<(), std::io::Error> {
    let (authority, path) = match url
        .strip_prefix("http://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    {
        Some((authority, path)) if !authority.is_empty() => (authority, path),
        _ => return Err(std::io::Error::other(format!("`{url}` is not like http://127.0.0.1:7777/readyz"))),
    };
    let named = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
    let address =
        named.to_socket_addrs()?.next().ok_or_else(|| std::io::Error::other("the name has no address"))?;
    let mut stream = get(address, authority, path, DEADLINE)?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    match &head {
        b"HTTP/1.1 200" => Ok(()),
        other => Err(std::io::Error::other(format!("not ready: {}", String::from_utf8_lossy(other)))),
    }
}
