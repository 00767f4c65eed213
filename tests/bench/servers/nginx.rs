//! nginx: with `sendfile` over the very files, which is the floor; and as a cache with a lock.

use std::{fs, net::SocketAddr, path::Path};

use anyhow::Result;

use super::{Kind, Part, Server, registry::answers};
use crate::{measure::Trees, stage::Stage};

pub(super) fn start(stage: &Stage, kind: Kind, upstream: &str) -> Result<Server> {
    let name = stage.name("nginx");
    let (listen, folder) = (stage.rig.address(), stage.rig.root().join(&name));
    fs::create_dir(&folder)?;
    let server = match kind {
        Kind::NginxCache => cache(&folder, listen, upstream.trim_start_matches("http://")),
        _ => files(&stage.corpus.www(), listen),
    };
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration(&folder, &server))?;
    // Workers outlive a master that is killed, and hide whose they are: so they get a process namespace, all of which
    // the kernel ends with its first.
    let apart = ["--pid", "--fork", "--kill-child", "--", "nginx", "-e", "stderr", "-c"];
    let process = stage.rig.command(&name, "unshare").args(apart).arg(&file).arg("-p").arg(&folder).start()?;
    answers(&stage.http, &listen, &process)?;
    let master = Trees::of(&[process.pid()]).children();
    let mut server = Server::of(kind, format!("http://{listen}"), vec![Part::Process(process)], vec![folder]);
    server.trees = master;
    Ok(server)
}

/// A worker a core, as is usual; `tcp_nopush` off, because it costs a fifth of the throughput on loopback.
fn configuration(folder: &Path, server: &str) -> String {
    let pid = folder.join("pid");
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let pid = pid.display();
    format!(
        "user root;
worker_processes {workers};
worker_rlimit_nofile 65536;
daemon off;
pid {pid};
events {{ worker_connections 8192; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush off;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 1000000000;
  default_type application/octet-stream;
{server}}}
"
    )
}

fn files(www: &Path, listen: SocketAddr) -> String {
    format!("  server {{ listen {listen}; root {}; }}\n", www.display())
}

fn cache(folder: &Path, listen: SocketAddr, upstream: &str) -> String {
    let (cache, max) = (folder.join("cache"), "max_size=100g inactive=7d use_temp_path=off");
    let cache = cache.display();
    format!(
        "  proxy_cache_path {cache} levels=1:2 keys_zone=blobs:10m {max};
  upstream registry {{ server {upstream}; keepalive 16; }}
  server {{
    listen {listen};
    location / {{
      proxy_pass http://registry;
      proxy_http_version 1.1;
      proxy_set_header Connection \"\";
      proxy_cache blobs;
      proxy_cache_valid 200 7d;
      proxy_cache_lock on;
      proxy_cache_lock_timeout 600s;
      proxy_cache_lock_age 600s;
      proxy_read_timeout 600s;
    }}
  }}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_balanced() {
        let listen = "127.0.0.1:1".parse().unwrap();
        for server in [files(Path::new("/w"), listen), cache(Path::new("/c"), listen, "127.0.0.1:2")] {
            let text = configuration(Path::new("/c"), &server);
            assert_eq!(text.matches('{').count(), text.matches('}').count(), "{text}");
            let complete = |line: &&str| line.trim().is_empty() || line.trim_end().ends_with(['{', '}', ';']);
            assert!(text.lines().all(|line| complete(&line)), "{text}");
        }
    }
}
