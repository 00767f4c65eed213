//! Pushing an image by the distribution protocol.

use anyhow::{Context as _, Result};
use http::Method;
use url::Url;

use super::image::Image;
use crate::rig::{
    http::{Http, Request},
    registry::{Credentials, authorize},
};

/// Pushes blobs that are not there yet, then manifests, then the index, then the tag.
pub(crate) fn push(http: &Http, registry: &str, credentials: Option<&Credentials>, image: &Image) -> Result<()> {
    let pass = authorize(http, registry, credentials, &image.repository, "pull,push")?;
    let ask = |method: Method, url: &str| -> Request {
        let request = http.request(method, url);
        match &pass {
            Some(pass) => request.header("authorization", pass),
            None => request,
        }
    };
    let base = format!("{registry}/v2/{}", image.repository);
    for blob in image.blobs() {
        if ask(Method::HEAD, &format!("{base}/blobs/{}", blob.digest)).send()?.status == 200 {
            continue;
        }
        let started = ask(Method::POST, &format!("{base}/blobs/uploads/")).send()?.expect(202)?;
        let place = started.header("location").context("an upload without a place to go on at")?;
        let mut place = Url::parse(registry)?.join(place)?;
        place.query_pairs_mut().append_pair("digest", &blob.digest);
        let upload = ask(Method::PUT, place.as_str()).header("content-type", "application/octet-stream");
        upload.body(blob.bytes()?).send()?.expect(201).with_context(|| format!("uploading {}", blob.digest))?;
    }
    let mut documents: Vec<_> = image.documents().map(|d| (d, d.digest.clone())).collect();
    if let Some(last) = documents.last_mut() {
        last.1.clone_from(&image.tag);
    }
    for (document, reference) in documents {
        let put = ask(Method::PUT, &format!("{base}/manifests/{reference}"));
        let put = put.header("content-type", document.media_type).body(document.bytes.clone());
        put.send()?.expect(201).with_context(|| format!("putting manifest {reference}"))?;
    }
    Ok(())
}
