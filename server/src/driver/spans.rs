//! Sends the spans of sessions to a collector, by OTLP over HTTP. Only in builds with the feature `otlp`, and only when the
//! configuration names a collector. One that is gone or slow costs its spans and nothing else.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::config::LogSection;

/// How long a collector may take for a batch.
const EXPORT_DEADLINE: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last batch.
const LAST_BATCH_DEADLINE: Duration = Duration::from_secs(2);

/// Spans on their way to a collector.
pub(super) struct Spans(SdkTracerProvider);

impl Spans {
    /// To be called inside the runtime that will send them.
    ///
    /// # Errors
    /// What is wrong with the endpoint.
    pub(super) fn to(endpoint: &str) -> Result<Self, String> {
        let client = OnRuntime {
            client: HyperClient::with_default_connector(EXPORT_DEADLINE, None),
            runtime: Handle::current(),
        };
        let exporter = SpanExporter::builder().with_http().with_http_client(client).with_endpoint(endpoint);
        let exporter = exporter.build().map_err(|error| error.to_string())?;
        let service = Resource::builder().with_service_name("tickwire-server").build();
        Ok(Self(SdkTracerProvider::builder().with_resource(service).with_batch_exporter(exporter).build()))
    }

    /// To the collector that the configuration names, if it names one and it can be one.
    pub(super) fn configured(section: &LogSection) -> (Option<Self>, Option<String>) {
        match section.otlp_endpoint.as_deref().map(Self::to) {
            None => (None, None),
            Some(Ok(spans)) => (Some(spans), None),
            Some(Err(error)) => (None, Some(error)),
        }
    }

    pub(super) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>(&self) -> OpenTelemetryLayer<S, SdkTracer> {
        // Sessions wait most of the time; to clock each wait would cost more than it tells.
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("tickwire")).with_tracked_inactivity(false)
    }

    /// Sends what is left.
    pub(super) fn end(&self) {
        if let Err(error) = self.0.shutdown_with_timeout(LAST_BATCH_DEADLINE) {
            tracing::warn!(%error, "the last spans did not reach their collector");
        }
    }
}

/// The exporter has a thread of its own, but the client needs the runtime.
#[derive(Debug)]
struct OnRuntime {
    client: HyperClient,
    runtime: Handle,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'a>>;

impl HttpClient for OnRuntime {
    fn send_bytes<'a, 'b>(&'a self, request: Request<Bytes>) -> Answer<'b>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move {
            let answer = sent.await?;
            if let Err(error) = &answer {
                tracing::warn!(%error, "spans did not reach their collector");
            }
            answer
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::TcpListener;

    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    /// Takes one batch as a collector does.
    fn collect(listener: &TcpListener) -> (String, Vec<u8>) {
        let (stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).expect("a request");
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            let lower = line.to_lowercase();
            if let Some(value) = lower.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        write!(reader.get_mut(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").expect("answered");
        (first, body)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_collector_is_sent_the_spans_of_sessions() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}/v1/traces", listener.local_addr().expect("an address"));
        let collector = std::thread::spawn(move || collect(&listener));
        let spans = Spans::to(&endpoint).expect("an endpoint");
        let layers = tracing_subscriber::registry().with(spans.layer());
        tracing::subscriber::with_default(layers, || {
            let _inside = tracing::info_span!("session", peer = "127.0.0.1:9", client = 7).entered();
            tracing::info!("something happens");
        });
        tokio::task::spawn_blocking(move || spans.end()).await.expect("ended");
        let (request, body) = collector.join().expect("collected");
        assert!(request.starts_with("POST /v1/traces HTTP/1.1"), "{request}");
        for word in ["session", "tickwire-server", "127.0.0.1:9", "something happens"] {
            assert!(body.windows(word.len()).any(|part| part == word.as_bytes()), "{word}");
        }
    }
}
