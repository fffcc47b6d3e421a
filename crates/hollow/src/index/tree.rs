//! A sorted set of (hash, ordinal) pairs in blocks that versions share.
//!
//! An index from keys to any number of records must not suffer from keys that many records have, nor from a change to one
//! of them. A B-tree of pairs has no such cases: what belongs to a key is a range, in the order of ordinals, and a change
//! copies the few blocks on the way to it.

use crate::Ordinal;
use std::sync::Arc;

/// Entries of a block at most.
const BLOCK: usize = 128;

pub(crate) type Pair = (u64, Ordinal);

/// The set. A clone shares all blocks.
#[derive(Debug, Clone)]
pub(crate) struct Tree {
    root: Arc<Node>,
    count: usize,
}

#[derive(Debug, Clone)]
enum Node {
    Leaf(Vec<Pair>),
    /// Children, each with its smallest pair (or one below it, after removals).
    Inner(Vec<(Pair, Arc<Node>)>),
}

impl Default for Tree {
    fn default() -> Self {
        Self {
            root: Arc::new(Node::Leaf(Vec::new())),
            count: 0,
        }
    }
}

impl Tree {
    /// From pairs that ascend strictly.
    pub(crate) fn from_sorted(pairs: &[Pair]) -> Self {
        // Blocks begin two thirds full, so that the first changes split none.
        const FILL: usize = BLOCK * 2 / 3;
        let mut level: Vec<(Pair, Arc<Node>)> = pairs
            .chunks(FILL)
            .map(|pairs| (pairs[0], Arc::new(Node::Leaf(pairs.to_vec()))))
            .collect();
        while level.len() > 1 {
            level = level
                .chunks(FILL)
                .map(|children| (children[0].0, Arc::new(Node::Inner(children.to_vec()))))
                .collect();
        }
        match level.pop() {
            Some((_, root)) => Self {
                root,
                count: pairs.len(),
            },
            None => Self::default(),
        }
    }

    /// Number of pairs.
    pub(crate) fn len(&self) -> usize {
        self.count
    }

    /// Adds a pair. Whether it was not there.
    pub(crate) fn insert(&mut self, pair: Pair) -> bool {
        let (added, split) = insert(&mut self.root, pair);
        if let Some(right) = split {
            let left = std::mem::replace(&mut self.root, Arc::new(Node::Leaf(Vec::new())));
            self.root = Arc::new(Node::Inner(vec![((0, 0), left), right]));
        }
        self.count += usize::from(added);
        added
    }

    /// Takes a pair out. Whether it was there.
    pub(crate) fn remove(&mut self, pair: Pair) -> bool {
        if !contains(&self.root, pair) {
            return false;
        }
        remove(&mut self.root, pair);
        while let Node::Inner(children) = &*self.root {
            match children.as_slice() {
                [(_, only)] => self.root = only.clone(),
                [] => self.root = Arc::new(Node::Leaf(Vec::new())),
                _ => break,
            }
        }
        self.count -= 1;
        true
    }

    /// The ordinals of a hash, ascending.
    pub(crate) fn of_hash(&self, hash: u64) -> impl Iterator<Item = Ordinal> + '_ {
        let mut path: Vec<(&Node, usize)> = Vec::new();
        let mut node = &*self.root;
        loop {
            match node {
                Node::Inner(children) => {
                    let at = child_at(children, (hash, 0));
                    path.push((node, at));
                    let Some((_, child)) = children.get(at) else {
                        break;
                    };
                    node = child;
                }
                Node::Leaf(pairs) => {
                    path.push((node, pairs.partition_point(|&pair| pair < (hash, 0))));
                    break;
                }
            }
        }
        std::iter::from_fn(move || {
            loop {
                let (node, at) = path.last_mut()?;
                match *node {
                    Node::Leaf(pairs) => {
                        if let Some(&(found, ordinal)) = pairs.get(*at) {
                            *at += 1;
                            return (found == hash).then_some(ordinal);
                        }
                        path.pop();
                        path.last_mut()?.1 += 1;
                    }
                    Node::Inner(children) => match children.get(*at) {
                        Some((_, child)) => path.push((child, 0)),
                        None => {
                            path.pop();
                            path.last_mut()?.1 += 1;
                        }
                    },
                }
            }
        })
    }

    /// Bytes on the heap, what other versions share included.
    pub(crate) fn heap_bytes(&self) -> usize {
        fn of(node: &Node) -> usize {
            const COUNTS: usize = 16;
            COUNTS
                + size_of::<Node>()
                + match node {
                    Node::Leaf(pairs) => pairs.capacity() * size_of::<Pair>(),
                    Node::Inner(children) => {
                        children.capacity() * size_of::<(Pair, Arc<Node>)>()
                            + children.iter().map(|(_, child)| of(child)).sum::<usize>()
                    }
                }
        }
        of(&self.root)
    }
}

/// The child in whose range a pair lies.
fn child_at(children: &[(Pair, Arc<Node>)], pair: Pair) -> usize {
    children
        .partition_point(|&(first, _)| first <= pair)
        .saturating_sub(1)
}

fn contains(node: &Node, pair: Pair) -> bool {
    match node {
        Node::Leaf(pairs) => pairs.binary_search(&pair).is_ok(),
        Node::Inner(children) => children
            .get(child_at(children, pair))
            .is_some_and(|(_, child)| contains(child, pair)),
    }
}

/// Whether the pair was added, and the right half if the node had to be split.
fn insert(node: &mut Arc<Node>, pair: Pair) -> (bool, Option<(Pair, Arc<Node>)>) {
    match Arc::make_mut(node) {
        Node::Leaf(pairs) => {
            let Err(at) = pairs.binary_search(&pair) else {
                return (false, None);
            };
            pairs.insert(at, pair);
            if pairs.len() <= BLOCK {
                return (true, None);
            }
            let right = pairs.split_off(pairs.len() / 2);
            (true, Some((right[0], Arc::new(Node::Leaf(right)))))
        }
        Node::Inner(children) => {
            let at = child_at(children, pair);
            let (added, split) = insert(&mut children[at].1, pair);
            if let Some(right) = split {
                children.insert(at + 1, right);
            }
            if children.len() <= BLOCK {
                return (added, None);
            }
            let right = children.split_off(children.len() / 2);
            (added, Some((right[0].0, Arc::new(Node::Inner(right)))))
        }
    }
}

/// Takes out a pair that is there; whether the node is empty then.
fn remove(node: &mut Arc<Node>, pair: Pair) -> bool {
    match Arc::make_mut(node) {
        Node::Leaf(pairs) => {
            if let Ok(at) = pairs.binary_search(&pair) {
                pairs.remove(at);
            }
            pairs.is_empty()
        }
        Node::Inner(children) => {
            let at = child_at(children, pair);
            if remove(&mut children[at].1, pair) {
                children.remove(at);
            }
            children.is_empty()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agrees_with_a_sorted_set(
            start in proptest::collection::btree_set((0u64..8, 0u32..2000), 0..1500),
            operations in proptest::collection::vec((any::<bool>(), 0u64..8, 0u32..2000), 0..1500),
        ) {
            let mut model: BTreeSet<Pair> = start;
            let sorted: Vec<Pair> = model.iter().copied().collect();
            let first = Tree::from_sorted(&sorted);
            let mut tree = first.clone();
            for (insert, hash, ordinal) in operations {
                let pair = (hash, ordinal);
                if insert {
                    prop_assert_eq!(tree.insert(pair), model.insert(pair));
                } else {
                    prop_assert_eq!(tree.remove(pair), model.remove(&pair));
                }
            }
            prop_assert_eq!(tree.len(), model.len());
            for hash in 0..9 {
                let expected: Vec<Ordinal> = model.iter().filter(|pair| pair.0 == hash).map(|pair| pair.1).collect();
                prop_assert_eq!(tree.of_hash(hash).collect::<Vec<_>>(), expected);
                let before: Vec<Ordinal> = sorted.iter().filter(|pair| pair.0 == hash).map(|pair| pair.1).collect();
                prop_assert_eq!(first.of_hash(hash).collect::<Vec<_>>(), before);
            }
        }

        #[test]
        fn empties_and_fills_again(pairs in proptest::collection::vec((any::<u64>(), 0u32..5), 0..600)) {
            let mut tree = Tree::default();
            for &pair in &pairs {
                tree.insert(pair);
            }
            for &pair in &pairs {
                tree.remove(pair);
            }
            prop_assert_eq!(tree.len(), 0);
            prop_assert!(pairs.iter().all(|pair| tree.of_hash(pair.0).next().is_none()));
            prop_assert!(tree.insert((1, 2)));
        }
    }
}
