//! A small shelf of things that are being read or were read: whoever asks for the same
//! thing at once shares one reading.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use windlass_shared::facts::Fact;
use windlass_shared::id::Timestamp;

/// A reading that many may wait for.
pub(crate) type Reading<V> = Shared<BoxFuture<'static, Fact<V>>>;

/// Readings by key, the oldest thrown away first.
pub(crate) struct Shelf<K, V: Clone> {
    entries: Mutex<VecDeque<Entry<K, V>>>,
    capacity: usize,
    /// How long something that was read stays true; `None` for what never changes.
    fresh: Option<Duration>,
}

struct Entry<K, V: Clone> {
    key: K,
    since: Timestamp,
    reading: Reading<V>,
}

impl<K: PartialEq, V: Clone> Shelf<K, V> {
    pub(crate) fn new(capacity: usize, fresh: Option<Duration>) -> Self {
        Self { entries: Mutex::new(VecDeque::new()), capacity, fresh }
    }

    /// The reading under way or kept for `key`, or the one that `begin` begins. What could
    /// not be read, and what was absent, is read again.
    pub(crate) fn get(
        &self,
        key: K,
        now: Timestamp,
        begin: impl FnOnce() -> BoxFuture<'static, Fact<V>>,
    ) -> Reading<V> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|entry| self.keeps(entry, now));
        if let Some(found) = entries.iter().find(|entry| entry.key == key) {
            return found.reading.clone();
        }
        let reading = begin().shared();
        if entries.len() == self.capacity {
            entries.pop_front();
        }
        entries.push_back(Entry { key, since: now, reading: reading.clone() });
        reading
    }

    fn keeps(&self, entry: &Entry<K, V>, now: Timestamp) -> bool {
        let age = now.duration_since(entry.since);
        let is_fresh = self.fresh.is_none_or(|fresh| age.unsigned_abs() < fresh);
        is_fresh && matches!(entry.reading.peek(), None | Some(Fact::Known(_)))
    }
}

impl<K, V: Clone> fmt::Debug for Shelf<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shelf({})", self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(secs).unwrap()
    }

    async fn read(shelf: &Shelf<u8, usize>, key: u8, now: i64, answer: Fact<usize>) -> Fact<usize> {
        shelf.get(key, at(now), || async move { answer }.boxed()).await
    }

    #[tokio::test]
    async fn what_is_known_is_read_once_until_it_is_old() {
        let shelf = Shelf::new(2, Some(Duration::from_mins(1)));
        assert_eq!(read(&shelf, 1, 0, Fact::Known(1)).await, Fact::Known(1));
        assert_eq!(read(&shelf, 1, 59, Fact::Known(2)).await, Fact::Known(1));
        assert_eq!(read(&shelf, 1, 60, Fact::Known(3)).await, Fact::Known(3));
    }

    #[tokio::test]
    async fn what_was_not_found_is_read_again_and_the_oldest_makes_room() {
        let shelf = Shelf::new(2, None);
        assert_eq!(read(&shelf, 1, 0, Fact::Absent).await, Fact::Absent);
        assert_eq!(read(&shelf, 1, 0, Fact::Known(1)).await, Fact::Known(1));
        read(&shelf, 2, 0, Fact::Known(2)).await;
        read(&shelf, 3, 0, Fact::Known(3)).await;
        assert_eq!(read(&shelf, 1, 0, Fact::Known(4)).await, Fact::Known(4));
    }

    #[tokio::test]
    async fn two_who_ask_at_once_share_one_reading() {
        let shelf = Shelf::new(2, None);
        let readings = Arc::new(AtomicUsize::new(0));
        let begin = |readings: Arc<AtomicUsize>| {
            async move {
                tokio::task::yield_now().await;
                Fact::Known(readings.fetch_add(1, Ordering::Relaxed))
            }
            .boxed()
        };
        let one = shelf.get(1, at(0), || begin(Arc::clone(&readings)));
        let two = shelf.get(1, at(0), || begin(Arc::clone(&readings)));
        assert_eq!(futures::join!(one, two), (Fact::Known(0), Fact::Known(0)));
    }
}
