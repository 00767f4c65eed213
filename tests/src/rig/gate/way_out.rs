//! A proxy in the rig through which its engines and hub reach registries of the world, as they would from behind a
//! company's proxy: TLS stays theirs, end to end, and names are resolved on the machine.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
    time::timeout,
};
use url::Url;

use super::{
    Gate,
    connect::{self, MAX_HEAD, Target},
    relay::relay,
};
use crate::rig::serve::{Handler, Server, Wire};

/// For a client to say where to, and for a registry to take the connection.
const LIMIT: Duration = Duration::from_secs(15);

/// One client's way to the world; see [`Gate::way_out`].
pub struct WayOut {
    url: String,
    received: Arc<AtomicU64>,
    _server: Server,
}

/// How this process reaches the world.
#[derive(Clone)]
enum Route {
    Direct,
    /// By a proxy, which then hears what the client says.
    Proxy(Target),
}

impl Gate {
    /// Opens a way to TLS servers anywhere. Give each client its own, to see what each one received. A machine that
    /// needs a proxy itself (`HTTPS_PROXY`) is no obstacle: the client is handed on to it.
    ///
    /// # Errors
    /// When `HTTPS_PROXY` is set to what is no URL.
    pub fn way_out(&self) -> Result<WayOut> {
        let (route, user) = route(proxy_of_the_machine().as_deref())?;
        let received = Arc::new(AtomicU64::new(0));
        let (outside, counter) = (self.outside(), Arc::clone(&received));
        let handler: Handler = Arc::new(move |wire| {
            let (outside, route, counter) = (outside.clone(), route.clone(), Arc::clone(&counter));
            Box::pin(async move {
                // The client sees its connection end, and says so in its own log.
                let _ = carry(wire, &outside, &route, &counter).await;
            })
        });
        let address = self.ground.address();
        let server = Server::start(Arc::clone(&self.ground), address, None, handler)?;
        Ok(WayOut { url: format!("http://{user}{address}"), received, _server: server })
    }
}

impl WayOut {
    /// What the client needs as `HTTPS_PROXY`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Bytes that came in by this way so far; TLS and headers count too.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The environment with which a client goes this way, and trusts whom this process trusts.
    pub(crate) fn environment(&self) -> Vec<(String, String)> {
        let trust =
            ["SSL_CERT_FILE", "SSL_CERT_DIR"].into_iter().filter_map(|name| Some((name, std::env::var(name).ok()?)));
        let own = [("HTTPS_PROXY", self.url.clone()), ("NO_PROXY", "localhost,127.0.0.0/8".to_owned())];
        own.into_iter().chain(trust).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

async fn carry(mut near: Pin<Box<dyn Wire>>, outside: &Handle, route: &Route, received: &AtomicU64) -> Result<()> {
    let target = match route {
        Route::Proxy(proxy) => proxy.clone(),
        Route::Direct => timeout(LIMIT, ask(&mut near)).await??,
    };
    let Target { host, port } = target;
    // Over there, so that the socket and the look-up of the name are in the machine's network.
    let dial = outside.spawn(timeout(LIMIT, TcpStream::connect((host, port))));
    let far = match dial.await?.map_err(std::io::Error::from).and_then(|connected| connected) {
        Ok(far) => far,
        Err(error) => {
            near.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await?;
            return Err(error.into());
        }
    };
    far.set_nodelay(true)?;
    if matches!(route, Route::Direct) {
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    }
    Ok(relay(near, far, received).await?)
}

/// Where the client wants to. It says no more until it is answered.
async fn ask(near: &mut Pin<Box<dyn Wire>>) -> Result<Target> {
    let mut head = Vec::with_capacity(MAX_HEAD);
    loop {
        if near.read_buf(&mut head).await? == 0 {
            anyhow::bail!("the client left");
        }
        if let Some((target, _)) = connect::parse(&head)? {
            return Ok(target);
        }
    }
}

fn proxy_of_the_machine() -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("HTTPS_PROXY").or_else(|| set("https_proxy"))
}

/// The way, and `user:password@` as the proxy wants it from the client.
fn route(proxy: Option<&str>) -> Result<(Route, String)> {
    let Some(proxy) = proxy else { return Ok((Route::Direct, String::new())) };
    let whole = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    // Not in a message: it may hold a password.
    let url = Url::parse(&whole).context("HTTPS_PROXY is no URL")?;
    let host = url.host_str().context("HTTPS_PROXY names no host")?.trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().context("HTTPS_PROXY names no port")?;
    let user = match (url.username(), url.password()) {
        ("", None) => String::new(),
        (user, None) => format!("{user}@"),
        (user, Some(password)) => format!("{user}:{password}@"),
    };
    Ok((Route::Proxy(Target { host, port }), user))
}

#[cfg(test)]
mod tests {
    use super::{Route, route};

    #[test]
    fn the_proxy_of_the_machine_is_gone_through() {
        assert!(matches!(route(None).unwrap(), (Route::Direct, user) if user.is_empty()));
        for (said, host, port, user) in [
            ("http://proxy.example:3128", "proxy.example", 3128, ""),
            ("proxy.example:3128", "proxy.example", 3128, ""),
            ("http://ann:s%40cret@proxy.example", "proxy.example", 80, "ann:s%40cret@"),
        ] {
            let (Route::Proxy(target), given) = route(Some(said)).unwrap() else { panic!("{said}") };
            assert_eq!((target.host.as_str(), target.port, given.as_str()), (host, port, user));
        }
        let refused = route(Some("http://u:secret@[")).map(drop).unwrap_err();
        assert!(!format!("{refused:#}").contains("secret"));
    }
}
