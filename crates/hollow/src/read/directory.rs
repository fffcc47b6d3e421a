//! The directory of a type's pages: a persistent vector of three levels.
//!
//! Two states share every node that no change lies below, so a new state costs the touched pages and the paths to
//! them, and what differs between two states is found by comparing pointers from the top. Chunks are small because
//! copying one counts up the references of all its pages.

use super::page::Page;
use crate::ahead::await_all;
use std::sync::Arc;

/// Pages of a chunk.
pub(crate) const CHUNK_PAGES: usize = 8;
/// Chunks of a node.
const NODE_CHUNKS: usize = 64;
const NODE_PAGES: usize = CHUNK_PAGES * NODE_CHUNKS;

pub(crate) type ChunkPages = [Page; CHUNK_PAGES];

#[derive(Clone, Debug, Default)]
struct Chunk(ChunkPages);

#[derive(Clone, Debug)]
struct Node([Option<Arc<Chunk>>; NODE_CHUNKS]);

impl Chunk {
    fn await_counts(&self) {
        await_counts(self.0.iter().map(|page| &page.words));
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        self.await_counts();
    }
}

impl Node {
    const EMPTY: Self = Self([const { None }; NODE_CHUNKS]);

    fn await_counts(&self) {
        await_counts(self.0.iter().flatten());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.await_counts();
    }
}

/// Pages by page number, which is ordinal / 64.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    nodes: Vec<Option<Arc<Node>>>,
}

impl Directory {
    /// From all chunks in order.
    pub(crate) fn from_chunks(chunks: Vec<ChunkPages>) -> Self {
        let mut chunks = chunks.into_iter();
        let mut nodes = Vec::new();
        while chunks.len() > 0 {
            let node = std::array::from_fn(|_| {
                chunks
                    .next()
                    .filter(|pages| pages.iter().any(|page| page.populated != 0))
                    .map(|pages| Arc::new(Chunk(pages)))
            });
            nodes.push(Some(Arc::new(Node(node))));
        }
        Self { nodes }
    }

    #[inline]
    pub(crate) fn get(&self, page: usize) -> Option<&Page> {
        let node = self.nodes.get(page / NODE_PAGES)?.as_ref()?;
        let chunk = node.0[page / CHUNK_PAGES % NODE_CHUNKS].as_ref()?;
        Some(&chunk.0[page % CHUNK_PAGES])
    }

    /// Replaces one page, copying what other directories share.
    pub(crate) fn set(&mut self, page: usize, value: Page) {
        let node = page / NODE_PAGES;
        if node >= self.nodes.len() {
            self.nodes.resize(node + 1, None);
        }
        let node = self.nodes[node].get_or_insert_with(|| Arc::new(Node::EMPTY));
        if Arc::strong_count(node) > 1 {
            node.await_counts();
        }
        let chunk = Arc::make_mut(node).0[page / CHUNK_PAGES % NODE_CHUNKS]
            .get_or_insert_with(Arc::default);
        if Arc::strong_count(chunk) > 1 {
            chunk.await_counts();
        }
        Arc::make_mut(chunk).0[page % CHUNK_PAGES] = value;
    }

    /// Waits at once for all that [`set`](Self::set) of these pages counts up.
    pub(crate) fn await_chunks(&self, pages: impl Iterator<Item = usize>) {
        let chunks = pages.filter_map(|page| {
            let node = self.nodes.get(page / NODE_PAGES)?.as_ref()?;
            node.0[page / CHUNK_PAGES % NODE_CHUNKS].as_ref()
        });
        await_counts(chunks.flat_map(|chunk| chunk.0.iter().map(|page| &page.words)));
    }

    /// Pages with records, ascending by page number.
    pub(crate) fn pages(&self) -> impl Iterator<Item = (usize, &Page)> {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(index, node)| Some((index, node.as_ref()?)))
            .flat_map(|(node_index, node)| {
                node.0.iter().enumerate().filter_map(move |(index, chunk)| {
                    Some((node_index * NODE_CHUNKS + index, chunk.as_ref()?))
                })
            })
            .flat_map(|(chunk_index, chunk)| {
                chunk
                    .0
                    .iter()
                    .enumerate()
                    .map(move |(index, page)| (chunk_index * CHUNK_PAGES + index, page))
            })
            .filter(|(_, page)| page.populated != 0)
    }

    /// The last page with records.
    pub(crate) fn last(&self) -> Option<(usize, &Page)> {
        for (node_index, node) in self.nodes.iter().enumerate().rev() {
            let Some(node) = node else { continue };
            for (index, chunk) in node.0.iter().enumerate().rev() {
                let Some(chunk) = chunk else { continue };
                let first = (node_index * NODE_CHUNKS + index) * CHUNK_PAGES;
                if let Some(at) = chunk.0.iter().rposition(|page| page.populated != 0) {
                    return Some((first + at, &chunk.0[at]));
                }
            }
        }
        None
    }

    /// Calls `differs` for each page that the two directories do not share, ascending by page number.
    pub(crate) fn differing<'a>(
        &'a self,
        other: &'a Self,
        mut differs: impl FnMut(usize, Option<&'a Page>, Option<&'a Page>),
    ) {
        for node_index in 0..self.nodes.len().max(other.nodes.len()) {
            let a = self.nodes.get(node_index).and_then(Option::as_ref);
            let b = other.nodes.get(node_index).and_then(Option::as_ref);
            if is_shared(a, b) {
                continue;
            }
            for index in 0..NODE_CHUNKS {
                let a = a.and_then(|node| node.0[index].as_ref());
                let b = b.and_then(|node| node.0[index].as_ref());
                if is_shared(a, b) {
                    continue;
                }
                let first = (node_index * NODE_CHUNKS + index) * CHUNK_PAGES;
                for at in 0..CHUNK_PAGES {
                    let a = a
                        .map(|chunk| &chunk.0[at])
                        .filter(|page| page.populated != 0);
                    let b = b
                        .map(|chunk| &chunk.0[at])
                        .filter(|page| page.populated != 0);
                    match (a, b) {
                        (None, None) => {}
                        (Some(x), Some(y)) if x.shares_words(y) && x.populated == y.populated => {}
                        _ => differs(first + at, a, b),
                    }
                }
            }
        }
    }

    /// Whether the two directories have a page in common, or one of them has none.
    pub(crate) fn shares_any(&self, other: &Self) -> bool {
        let mut pages = self.pages().peekable();
        pages.peek().is_none()
            || pages.any(|(index, page)| {
                other
                    .get(index)
                    .is_some_and(|other| page.shares_words(other))
            })
    }

    /// Bytes on the heap, pages included.
    pub(crate) fn heap_bytes(&self) -> usize {
        let nodes = self.nodes.iter().flatten().count();
        let chunks = self
            .nodes
            .iter()
            .flatten()
            .flat_map(|node| node.0.iter().flatten())
            .count();
        let words: usize = self
            .pages()
            .map(|(_, page)| page.words.len() * 8 + COUNTS)
            .sum();
        self.nodes.capacity() * size_of::<Option<Arc<Node>>>()
            + nodes * (size_of::<Node>() + COUNTS)
            + chunks * (size_of::<Chunk>() + COUNTS)
            + words
    }
}

/// Waits for the counts of all of them at once. Who copies or drops them one after the other would wait for memory at
/// each, since no processor looks past a step that changes a count.
pub(crate) fn await_counts<'a, T: ?Sized + 'a>(shared: impl Iterator<Item = &'a Arc<T>>) {
    await_all(shared.map(Arc::strong_count));
}

/// Bytes of the two reference counts in front of an `Arc`'s value.
const COUNTS: usize = 16;

fn is_shared<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        _ => false,
    }
}
