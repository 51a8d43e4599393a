//! The transport against a server of another make, over real sockets.

#![allow(clippy::unwrap_used, reason = "clippy does not see that this whole file is a test")]
#![allow(clippy::result_large_err, reason = "the other make's callback wants it")]

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tickwire_demo::endpoint::Endpoint;
use tickwire_demo::transport::{ConnectError, Connection, Ending, Event, Link, connect};
use tickwire_shared::CloseCode;
use tickwire_shared::limits::{SERVER_MESSAGE_BYTES_MAX, SUBPROTOCOL_BINARY};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

type Server = WebSocketStream<TcpStream>;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_secs(5);

async fn listen() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = listener.local_addr().unwrap().to_string().parse().unwrap();
    (listener, endpoint)
}

async fn accept(listener: &TcpListener, subprotocol: Option<&'static str>) -> Server {
    let (stream, _) = listener.accept().await.unwrap();
    accept_hdr_async(stream, |request: &Request, mut response: Response| {
        assert_eq!(request.uri().path(), "/ws");
        assert_eq!(request.headers()["sec-websocket-protocol"], SUBPROTOCOL_BINARY);
        if let Some(subprotocol) = subprotocol {
            let chosen = HeaderValue::from_static(subprotocol);
            response.headers_mut().insert("sec-websocket-protocol", chosen);
        }
        Ok(response)
    })
    .await
    .unwrap()
}

async fn pair(link: Option<Link>) -> (Connection, Server) {
    let (listener, endpoint) = listen().await;
    let (client, server) =
        tokio::join!(connect(&endpoint, link), accept(&listener, Some(SUBPROTOCOL_BINARY)));
    (client.unwrap(), server)
}

async fn next(connection: &mut Connection) -> Event {
    timeout(PATIENCE, connection.next()).await.unwrap()
}

fn payload(event: Event) -> Vec<u8> {
    match event {
        Event::Message { bytes, .. } => bytes,
        Event::Ended(ending) => panic!("{ending}"),
    }
}

#[tokio::test]
async fn messages_travel_both_ways() {
    let (mut client, mut server) = pair(None).await;
    let sizes = [0, 1, 125, 126, 65_535, 65_536, SERVER_MESSAGE_BYTES_MAX];
    let feed = async {
        for size in sizes {
            server.send(Message::Binary(vec![7; size].into())).await.unwrap();
        }
    };
    let take = async {
        for size in sizes {
            assert_eq!(payload(next(&mut client).await), vec![7; size]);
        }
    };
    tokio::join!(feed, take);
    client.send(vec![9; 300]).await;
    assert_eq!(server.next().await.unwrap().unwrap(), Message::Binary(vec![9; 300].into()));
    let traffic = client.traffic();
    assert_eq!(traffic.received_bytes, sizes.iter().sum::<usize>() as u64);
    assert_eq!(traffic.received_framed_bytes - traffic.received_bytes, 2 + 2 + 2 + 4 + 4 + 10 + 10);
    assert_eq!((traffic.sent_bytes, traffic.sent_framed_bytes), (300, 308));
}

#[tokio::test]
async fn a_frame_that_trickles_in_is_whole() {
    let (listener, endpoint) = listen().await;
    let server = async {
        let server = accept(&listener, Some(SUBPROTOCOL_BINARY)).await;
        let mut socket = server.into_inner();
        socket.set_nodelay(true).unwrap();
        for byte in [0x82, 126, 0, 200].into_iter().chain([5; 200]) {
            socket.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        socket
    };
    let client = async {
        let mut client = connect(&endpoint, None).await.unwrap();
        // Asked in vain many times while the frame arrives: nothing may be lost by that.
        loop {
            if let Ok(event) = timeout(Duration::from_millis(1), client.next()).await {
                return payload(event);
            }
        }
    };
    let (bytes, _socket) = tokio::join!(client, server);
    assert_eq!(bytes, vec![5; 200]);
}

#[tokio::test]
async fn pings_are_answered() {
    let (mut client, mut server) = pair(None).await;
    server.send(Message::Ping(Bytes::from_static(b"there?"))).await.unwrap();
    server.send(Message::Binary(Bytes::from_static(b"x"))).await.unwrap();
    assert_eq!(payload(next(&mut client).await), b"x");
    let pong = timeout(PATIENCE, server.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(pong, Message::Pong(Bytes::from_static(b"there?")));
}

#[tokio::test]
async fn a_close_says_why_and_is_answered() {
    let (mut client, mut server) = pair(None).await;
    server.send(Message::Binary(Bytes::from_static(b"last"))).await.unwrap();
    let close = CloseFrame { code: 4003.into(), reason: "full".into() };
    server.send(Message::Close(Some(close))).await.unwrap();
    assert_eq!(payload(next(&mut client).await), b"last");
    let full = Ending::Closed { code: 4003, reason: "full".to_owned() };
    assert_eq!(next(&mut client).await, Event::Ended(full));
    let answer = timeout(PATIENCE, server.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(answer, Message::Close(Some(frame)) if u16::from(frame.code) == 4003));
}

#[tokio::test]
async fn goodbye_is_a_close_frame() {
    let (client, mut server) = pair(None).await;
    let hear = async {
        let heard = server.next().await.unwrap().unwrap();
        assert!(matches!(&heard, Message::Close(Some(frame)) if u16::from(frame.code) == 1000), "{heard:?}");
        assert!(server.next().await.is_none());
    };
    timeout(PATIENCE, async { tokio::join!(client.close(CloseCode::Normal), hear) }).await.unwrap();
}

#[tokio::test]
async fn text_is_refused() {
    let (mut client, mut server) = pair(None).await;
    server.send(Message::Text("hello".into())).await.unwrap();
    let Event::Ended(ending) = next(&mut client).await else { panic!("text came through") };
    assert_eq!(ending.code(), CloseCode::UnsupportedData.number());
    let answer = timeout(PATIENCE, server.next()).await.unwrap().unwrap().unwrap();
    assert!(matches!(answer, Message::Close(Some(frame)) if u16::from(frame.code) == 1003));
}

#[tokio::test]
async fn a_cut_wire_is_not_a_close() {
    let (mut client, server) = pair(None).await;
    drop(server);
    let Event::Ended(ending) = next(&mut client).await else { panic!("a message from nowhere") };
    assert_eq!(ending.code(), Ending::NO_CLOSE);
}

#[tokio::test]
async fn a_slow_link_is_slow_both_ways_and_keeps_its_order() {
    let profile = "delay=30ms,jitter=10ms".parse().unwrap();
    let (mut client, mut server) = pair(Some(Link { profile, seed: 1 })).await;
    let began = tickwire_demo::time::now();
    for index in 0..20_u8 {
        client.send(vec![index]).await;
    }
    for index in 0..20_u8 {
        let message = timeout(PATIENCE, server.next()).await.unwrap().unwrap().unwrap();
        assert_eq!(message, Message::Binary(vec![index].into()));
        server.send(message).await.unwrap();
    }
    for index in 0..20_u8 {
        let Event::Message { bytes, at } = next(&mut client).await else { panic!("ended") };
        assert_eq!(bytes, vec![index]);
        assert!(at.since(began) >= 60_000, "{} µs there and back", at.since(began));
    }
}

#[tokio::test]
async fn what_is_no_server_of_ours_is_told_apart() {
    let (listener, endpoint) = listen().await;
    let (client, _server) = tokio::join!(connect(&endpoint, None), accept(&listener, None));
    assert!(matches!(client, Err(ConnectError::Subprotocol { .. })));

    let web_server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 1024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let (client, _stream) = tokio::join!(connect(&endpoint, None), web_server);
    assert!(matches!(client, Err(ConnectError::Status { status: 503, .. })));

    drop(listener);
    let error = connect(&endpoint, None).await.unwrap_err();
    assert!(error.to_string().contains("cargo run --release"), "{error}");
}
