//! Python's pickles, read as data.
//!
//! The opcodes of plain data only, of protocols 2 to 5. An opcode that names a class or calls
//! something is refused, so a pickle can do nothing but cost memory; what it may cost is bounded. The
//! values go into an arena, where what is shared in Python is shared too.

mod machine;

use std::borrow::Cow;
use std::cell::Cell;

use serde::de::DeserializeSeed;

use super::CopyError;
use super::source::{Opened, Reader, Source, Wanted};

/// Deserializes a pickle by the seed.
pub(super) fn pickle_into<'de, S: DeserializeSeed<'de>>(
    pickle: &[u8],
    seed: S,
) -> Result<S::Value, CopyError> {
    let (arena, root) = machine::run(pickle, MAX_MEMORY)?;
    let growth = pickle.len().saturating_mul(MAX_GROWTH);
    let heap = Heap {
        nodes: arena,
        budget: Cell::new(growth.clamp(MIN_BUDGET, MAX_BUDGET)),
    };
    seed.deserialize(Reader(heap.node(root, 0)))
}

/// The place of a value in the arena.
type Id = u32;

/// A value, its parts by their places.
enum Node<'a> {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Cow<'a, str>),
    Bytes(&'a [u8]),
    /// A list, tuple, set or frozenset.
    Items(Vec<Id>),
    Dict(Vec<(Id, Id)>),
}

struct Heap<'a> {
    nodes: Vec<Node<'a>>,
    // How much may still be read out: values that are shared count each time.
    budget: Cell<usize>,
}

/// One value, as a serde data source.
#[derive(Clone, Copy)]
struct NodeRef<'h, 'a> {
    heap: &'h Heap<'a>,
    id: Id,
    depth: usize,
}

impl<'a> Heap<'a> {
    fn node(&self, id: Id, depth: usize) -> NodeRef<'_, 'a> {
        NodeRef {
            heap: self,
            id,
            depth,
        }
    }
}

impl<'h, 'a> NodeRef<'h, 'a> {
    /// The value itself; its size is taken off the budget.
    fn node(&self) -> Result<&'h Node<'a>, CopyError> {
        if self.depth > MAX_DEPTH {
            return Err(CopyError::new("the pickle is nested too deep"));
        }
        let node = self.heap.nodes.get(self.id as usize);
        let node = node.ok_or_else(|| CopyError::new("the pickle refers to nothing"))?;
        let cost = match node {
            Node::Str(text) => text.len(),
            Node::Bytes(bytes) => bytes.len(),
            _ => 0,
        };
        let left = self.heap.budget.get().checked_sub(cost + COST_OF_A_VALUE);
        let left = left.ok_or_else(|| CopyError::new("the pickle unfolds to too much"))?;
        self.heap.budget.set(left);
        Ok(node)
    }
}

impl<'h> Source<'h> for NodeRef<'h, '_> {
    fn open(self, _: Wanted) -> Result<Opened<'h, Self>, CopyError> {
        let inner = move |id: &Id| self.heap.node(*id, self.depth + 1);
        Ok(match self.node()? {
            Node::None => Opened::None,
            Node::Bool(flag) => Opened::Bool(*flag),
            Node::Int(int) => Opened::Int((*int).into()),
            Node::Float(float) => Opened::Float(*float),
            Node::Str(text) => Opened::Str(Cow::Borrowed(text)),
            Node::Bytes(bytes) => Opened::Bytes(Cow::Borrowed(bytes)),
            Node::Items(items) => Opened::Items(Box::new(items.iter().map(inner))),
            Node::Dict(pairs) => {
                let pair = move |(key, value): &(Id, Id)| (inner(key), inner(value));
                Opened::Dict(Box::new(pairs.iter().map(pair)))
            }
        })
    }

    fn is_none(&self) -> Result<bool, CopyError> {
        Ok(matches!(self.node()?, Node::None))
    }
}

/// How deep values may be nested. Deserializing recurses.
const MAX_DEPTH: usize = 100;

/// How many bytes a pickle may unfold to for each of its own: shared values count each time.
const MAX_GROWTH: usize = 256;

/// How many bytes any pickle may unfold to, however small it is.
const MIN_BUDGET: usize = 64 << 20;

/// How many bytes no pickle may unfold to, however large it is: by the growth alone, one of 256 MiB could
/// unfold to 64 GiB.
const MAX_BUDGET: usize = 1 << 30;

/// How many bytes the machine's values, stack, marks and memo may take. Each of them costs the peer a byte or two.
const MAX_MEMORY: usize = 512 << 20;

const COST_OF_A_VALUE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stack_marks_and_memo_are_all_paid_for() {
        let floods: [(&str, &[u8]); 6] = [
            ("values", b"N"),
            ("marks", b"("),
            ("the same value again", b"2"),
            ("a value of the memo again", b"h\0"),
            ("values put into a list and forgotten", b"](NNe0"),
            ("places of the memo", b"\x94"),
        ];
        for (what, opcodes) in floods {
            let pickle = [b"N\x94", &*opcodes.repeat(100_000), b"."].concat();
            let error = machine::run(&pickle, 100_000).err().map(|e| e.to_string());
            let refused = error.is_some_and(|text| text.contains("too many values"));
            assert!(refused, "{what}");
        }
        // One place of the memo, four billion further on.
        let error = machine::run(b"Nr\xff\xff\xff\xff.", MAX_MEMORY).err();
        assert!(error.is_some_and(|error| error.to_string().contains("too many values")));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(
            bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)
        ) {
            let _ = pickle_into(&bytes, std::marker::PhantomData::<serde::de::IgnoredAny>);
        }
    }
}
