//! Many who ask the same thing at once are one who asks.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use tokio::{runtime::Handle, sync::oneshot};

type Running<K, V> = Arc<Mutex<HashMap<K, Shared<BoxFuture<'static, Option<V>>>>>>;

/// Work under way, by what it is about. It belongs to no caller: who asked for it may leave, and it goes on.
pub(crate) struct Coalesce<K, V> {
    running: Running<K, V>,
    /// Where it is done: not where the connection is served that asked first, which may be busy or gone before the rest.
    runtime: Handle,
}

impl<K, V> Coalesce<K, V> {
    /// Has the work done on `runtime`.
    pub(crate) fn new(runtime: &Handle) -> Self {
        Self { running: Arc::default(), runtime: runtime.clone() }
    }
}

impl<K, V> Coalesce<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The outcome of the work about `key`: of what is under way, or else of `work`, which is started. `None` if the
    /// work died (a panic, or the runtime is going down).
    pub(crate) async fn run<F>(&self, key: K, work: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let (own, outcome) = {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            match running.get(&key) {
                Some(outcome) => (None, outcome.clone()),
                None => {
                    let (own, told) = oneshot::channel();
                    let outcome = async move { told.await.ok() }.boxed().shared();
                    running.insert(key.clone(), outcome.clone());
                    (Some(own), outcome)
                }
            }
        };
        if let Some(own) = own {
            let done = Done { running: Arc::clone(&self.running), key };
            let work = work();
            // Not under the lock: a runtime that is going down drops the task at once, and that takes the lock.
            self.runtime.spawn(async move {
                let value = work.await;
                drop(done);
                let _ = own.send(value);
            });
        }
        outcome.await
    }
}

struct Done<K: Eq + Hash, V> {
    running: Running<K, V>,
    key: K,
}

impl<K: Eq + Hash, V> Drop for Done<K, V> {
    fn drop(&mut self) {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;
    use tokio::sync::watch;

    use super::*;

    #[tokio::test]
    async fn one_does_the_work_even_if_it_leaves() {
        let coalesce: Coalesce<u8, usize> = Coalesce::new(&Handle::current());
        let runs = Arc::new(AtomicUsize::new(0));
        let (go, gate) = watch::channel(false);
        let work = || {
            let (runs, mut gate) = (Arc::clone(&runs), gate.clone());
            async move {
                gate.wait_for(|go| *go).await.unwrap();
                runs.fetch_add(1, Ordering::SeqCst)
            }
        };
        // The first caller starts it and leaves.
        assert!(coalesce.run(1, work).now_or_never().is_none());
        let others = join_all((0..8).map(|_| coalesce.run(1, work)));
        let (values, _) = futures_util::join!(others, async { go.send_replace(true) });
        assert_eq!(values, vec![Some(0); 8]);
        assert_eq!(coalesce.run(1, work).await, Some(1), "what is done is not repeated from memory");
        assert!(coalesce.running.lock().unwrap().is_empty());
    }
}
