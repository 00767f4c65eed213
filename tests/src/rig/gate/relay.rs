//! Carrying bytes both ways between two connections.

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

const BUFFER: usize = 64 * 1024;

/// Until both sides are done or one fails. What comes back from `far` is counted as it comes.
pub(super) async fn relay<N, F>(near: N, far: F, received: &AtomicU64) -> io::Result<()>
where
    N: AsyncRead + AsyncWrite + Send,
    F: AsyncRead + AsyncWrite + Send,
{
    let (near_reads, near_writes) = tokio::io::split(near);
    let (far_reads, far_writes) = tokio::io::split(far);
    let out = pump(near_reads, far_writes, |_| ());
    let back = pump(far_reads, near_writes, |bytes| {
        received.fetch_add(bytes, Ordering::Relaxed);
    });
    tokio::try_join!(out, back).map(drop)
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: impl Fn(u64),
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer).await? {
            0 => return to.shutdown().await,
            n => {
                count(n as u64);
                to.write_all(&buffer[..n]).await?;
            }
        }
    }
}
