//! What is set on every socket, and on the process. Linux-only options have a fallback: the deadline of a write
//! that makes no progress is kept by us in any case.

use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

/// The options of one accepted socket as the kernel has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketOptions {
    /// `TCP_NODELAY`.
    pub nodelay: bool,
    /// `SO_SNDBUF`; Linux shows twice what was set.
    pub send_buffer_bytes: usize,
    /// `TCP_USER_TIMEOUT`, where there is one.
    pub user_timeout: Option<Duration>,
}

/// The kernel's own deadline comes after ours, which knows what to call it.
const USER_TIMEOUT_BEYOND: Duration = Duration::from_secs(1);

/// Sets the options and reads them back. `stall` is how long a write may make no progress.
///
/// # Errors
/// When the socket is dead already, or does not take `TCP_NODELAY`.
pub(super) fn apply(
    stream: &TcpStream,
    send_buffer_bytes: usize,
    stall: Duration,
) -> std::io::Result<SocketOptions> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(send_buffer_bytes)?;
    let user_timeout = set_user_timeout(&socket, stall + USER_TIMEOUT_BEYOND)?;
    Ok(SocketOptions {
        nodelay: socket.tcp_nodelay()?,
        send_buffer_bytes: socket.send_buffer_size()?,
        user_timeout,
    })
}

#[cfg(target_os = "linux")]
fn set_user_timeout(socket: &SockRef<'_>, timeout: Duration) -> std::io::Result<Option<Duration>> {
    socket.set_tcp_user_timeout(Some(timeout))?;
    socket.tcp_user_timeout()
}

#[cfg(not(target_os = "linux"))]
fn set_user_timeout(_socket: &SockRef<'_>, _timeout: Duration) -> std::io::Result<Option<Duration>> {
    Ok(None)
}

/// Raises the soft limit of open files to the hard one and says what it is now.
#[cfg(unix)]
pub(super) fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum;
    }
    current
}

/// There is no such limit here.
#[cfg(not(unix))]
pub(super) fn raise_file_limit() -> Option<u64> {
    None
}
