//! What every HTTP listener counts and logs, and the pages of the debug listener.

use std::time::Instant;

use ::http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use prometheus_client::{
    collector::Collector,
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
        info::Info,
    },
    registry::Registry,
};

use crate::{Health, listener::Handler, listener::Peer};

/// Counts requests, under the names that CNCF distribution gives the same things.
#[derive(Debug, Clone)]
pub struct Requests {
    total: Family<Answered, Counter>,
    seconds: Family<Handled, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    log: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    handler: &'static str,
    method: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Handled {
    handler: &'static str,
}

impl Requests {
    /// Counters that `metrics` publishes; with `log`, each request is a line of the log as well.
    pub fn new(metrics: &mut Metrics, log: bool) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.001, 4.0, 8));
        let requests = Self {
            total: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            in_flight: Gauge::default(),
            log,
        };
        let registry = &mut metrics.registry;
        registry.register("registry_http_requests", "Requests answered", requests.total.clone());
        let help = "Time to the headers of an answer";
        registry.register("registry_http_request_duration_seconds", help, requests.seconds.clone());
        let help = "Requests that wait for the headers of an answer";
        registry.register("registry_http_in_flight_requests", help, requests.in_flight.clone());
        requests
    }

    /// Answers by `answer`, and notes what came of it. `handler` reads from an answer which handler it came from.
    pub async fn observe<B, F>(
        &self,
        request: Request<Incoming>,
        answer: impl FnOnce(Request<Incoming>) -> F,
        handler: impl FnOnce(&Response<B>) -> &'static str,
    ) -> Response<B>
    where
        F: Future<Output = Response<B>>,
    {
        let start = Instant::now();
        let method = method_name(request.method());
        let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
        let line = self.log.then(|| {
            let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
            (request.uri().path().to_owned(), agent.unwrap_or("-").to_owned())
        });
        let waiting = InFlight::new(&self.in_flight);
        let response = answer(request).await;
        drop(waiting);
        let (handler, code, elapsed) = (handler(&response), response.status().as_u16(), start.elapsed());
        self.total.get_or_create(&Answered { handler, method, code }).inc();
        self.seconds.get_or_create(&Handled { handler }).observe(elapsed.as_secs_f64());
        if let Some((path, user_agent)) = line {
            let peer = peer.map(|peer| peer.to_string()).unwrap_or_default();
            let ms = elapsed.as_secs_f64() * 1e3;
            tracing::info!(method, path, code, ms = format!("{ms:.1}"), peer, user_agent, "request");
        }
        response
    }
}

/// A request that waits for its answer. A client that leaves meanwhile drops it.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn new(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A bounded set of labels, whatever a client sends.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// Everything that a daemon publishes.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Where parts of the daemon register what they count.
    pub registry: Registry,
}

impl Metrics {
    /// An empty set that tells the program's name and version.
    pub fn new(program: &'static str, version: &'static str) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("program", program), ("version", version)]);
        registry.register("larder_build", "The running program", build);
        Self { registry }
    }

    /// Adds what a part counts on its own.
    pub fn collect(&mut self, collector: impl Collector + 'static) {
        self.registry.register_collector(Box::new(collector));
    }
}

/// The debug listener: `/metrics`, `/livez`, `/readyz`, and distribution's `/debug/health`.
#[derive(Debug, Clone)]
pub struct Debug {
    health: Health,
    metrics: std::sync::Arc<Metrics>,
    metrics_path: String,
}

impl Debug {
    /// Pages about `health` and `metrics`, the latter under `metrics_path`.
    pub fn new(health: Health, metrics: Metrics, metrics_path: &str) -> Self {
        Self { health, metrics: metrics.into(), metrics_path: metrics_path.to_owned() }
    }

    fn metrics_page(&self) -> Response<Full<Bytes>> {
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.metrics.registry) {
            Ok(()) => page(StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", text),
            Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
        }
    }

    fn health_page(&self) -> Response<Full<Bytes>> {
        let failures = self.health.failures();
        let status = if failures.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        page(status, "application/json; charset=utf-8", serde_json::json!(failures).to_string())
    }
}

const TEXT: &str = "text/plain; charset=utf-8";

impl Handler for Debug {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return page(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET\n".to_owned());
        }
        match request.uri().path() {
            path if path == self.metrics_path => self.metrics_page(),
            "/livez" => page(StatusCode::OK, TEXT, "alive\n".to_owned()),
            "/readyz" => {
                let status = if self.health.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                page(status, TEXT, self.health.report())
            }
            "/debug/health" => self.health_page(),
            _ => {
                let paths = format!("{}\n/livez\n/readyz\n/debug/health\n", self.metrics_path);
                page(StatusCode::NOT_FOUND, TEXT, paths)
            }
        }
    }
}

/// A short answer of a given type.
pub fn page(status: StatusCode, content_type: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, ::http::HeaderValue::from_static(content_type));
    response
}
