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

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Places {
    /// WebSocket sessions.
    pub(super) sessions: usize,
    /// Connections of one port that have not become one.
    pub(super) handshakes: usize,
}

/// Open files that are kept for everything but connections.
const FILES_KEPT: usize = 200;

/// What fits below the limit of open files, so that it is never reached: a quarter of a small limit is kept, and
/// a quarter of the rest is for handshakes at most.
pub(super) fn places(file_limit: Option<u64>, sessions_max: usize, handshakes_max: usize) -> Places {
    let Some(files) = file_limit.and_then(|files| usize::try_from(files).ok()) else {
        return Places { sessions: sessions_max, handshakes: handshakes_max };
    };
    let free = files - FILES_KEPT.min(files / 4);
    let handshakes = handshakes_max.min(free / 4).max(1);
    Places { sessions: sessions_max.min(free.saturating_sub(handshakes)).max(1), handshakes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_stay_below_the_limit_of_files() {
        let fit = |files| places(files, 5000, 256);
        assert_eq!(fit(None), Places { sessions: 5000, handshakes: 256 });
        assert_eq!(fit(Some(20_000)), Places { sessions: 5000, handshakes: 256 });
        assert_eq!(fit(Some(1024)), Places { sessions: 618, handshakes: 206 });
        assert_eq!(fit(Some(64)), Places { sessions: 36, handshakes: 12 });
        assert_eq!(fit(Some(0)), Places { sessions: 1, handshakes: 1 });
        for files in 8..3000 {
            let Places { sessions, handshakes } = fit(Some(files));
            assert!(sessions + handshakes + FILES_KEPT.min(files as usize / 4) <= files as usize, "{files}");
        }
    }
}
