//! What the admin socket answers.

use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use larder_service::{http::page, listener::Handler};

use crate::status::Sources;

/// Answers the other commands of this program.
#[derive(Debug, Clone)]
pub(crate) struct Admin {
    pub(crate) sources: Sources,
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

impl Handler for Admin {
    type Body = Full<Bytes>;

    async fn handle(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match (request.method(), request.uri().path()) {
            (&Method::GET, "/health") => page(StatusCode::OK, TEXT, self.sources.health.report()),
            (&Method::GET, "/status") => match serde_json::to_string(&self.sources.status()) {
                Ok(status) => page(StatusCode::OK, JSON, status),
                Err(error) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
            },
            (&Method::POST, "/restore") => match &self.sources.keeper {
                None => page(StatusCode::CONFLICT, TEXT, "this agent runs with --engine none".to_owned()),
                Some(keeper) => match keeper.restore().await {
                    Some(Ok(restored)) => {
                        let mut said = restored.to_string();
                        said.push_str("\nthe running agent leaves the engine alone until it is started again");
                        page(StatusCode::OK, TEXT, said)
                    }
                    Some(Err(error)) => page(StatusCode::INTERNAL_SERVER_ERROR, TEXT, error.to_string()),
                    None => {
                        page(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the agent is stopping: run it again".to_owned())
                    }
                },
            },
            _ => page(StatusCode::NOT_FOUND, TEXT, "no such request".to_owned()),
        }
    }
}
