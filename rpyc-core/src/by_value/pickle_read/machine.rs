//! The stack machine that a pickle is a program of, with the opcodes of plain data only.

use std::borrow::Cow;

use super::{Id, Node};
use crate::by_value::CopyError;

type Outcome<T> = Result<T, CopyError>;

/// Runs the pickle to its STOP; gives the values, and which of them is the result. The machine may
/// take about `memory` bytes.
pub(super) fn run(pickle: &[u8], memory: usize) -> Outcome<(Vec<Node<'_>>, Id)> {
    let mut machine = Machine {
        rest: pickle,
        left: memory,
        nodes: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: Vec::new(),
    };
    loop {
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let result = machine.pop()?;
            return Ok((machine.nodes, result));
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    // Bytes of memory that may still be taken, by values and by what refers to them.
    left: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<Id>,
    // Heights of the stack.
    marks: Vec<usize>,
    memo: Vec<Option<Id>>,
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Outcome<()> {
        match opcode {
            0x80 => self.byte().map(drop),
            0x95 => self.take(8).map(drop),
            b'N' => self.push(Node::None),
            0x88 => self.push(Node::Bool(true)),
            0x89 => self.push(Node::Bool(false)),
            b'J' => self.long(4),
            b'K' | b'M' => {
                let int = self.number(if opcode == b'K' { 1 } else { 2 })?;
                self.push(Node::Int(i128::try_from(int).map_err(|_| malformed())?))
            }
            0x8a | 0x8b => {
                let length = self.number(if opcode == 0x8a { 1 } else { 4 })?;
                self.long(length)
            }
            b'G' => {
                let float = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(float))
            }
            0x8c => self.text(1),
            b'X' => self.text(4),
            0x8d => self.text(8),
            b'C' => self.bytes(1),
            b'B' => self.bytes(4),
            0x8e | 0x96 => self.bytes(8),
            b']' | b')' | 0x8f => self.push(Node::Items(Vec::new())),
            b'}' => self.push(Node::Dict(Vec::new())),
            b'l' | b't' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push(Node::Items(items))
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let height = self.stack.len().checked_sub(count).ok_or_else(malformed)?;
                let items = self.stack.split_off(height);
                self.push(Node::Items(items))
            }
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push(Node::Dict(pairs(&items)?))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend_items([item])
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.extend_items(items)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.extend_dict(&[key, value])
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.extend_dict(&items)
            }
            b'(' => {
                self.pay(size_of::<usize>())?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => self.pop().map(drop),
            b'1' => self.pop_to_mark().map(drop),
            b'2' => {
                let top = self.top()?;
                self.refer(top)
            }
            0x94 => self.remember(self.memo.len()),
            b'q' | b'r' => {
                let index = self.number(if opcode == b'q' { 1 } else { 4 })?;
                self.remember(index)
            }
            b'h' | b'j' => {
                let index = self.number(if opcode == b'h' { 1 } else { 4 })?;
                self.recall(index)
            }
            other => Err(self.refusal(other)),
        }
    }

    /// Why the opcode is refused: names the class or function that the pickle wanted, if it is known.
    fn refusal(&self, opcode: u8) -> CopyError {
        let name = match opcode {
            b'c' => {
                let mut lines = self.rest.split(|byte| *byte == b'\n');
                let mut line = || lines.next().map(text).unwrap_or_default();
                Some(format!("{}.{}", line(), line()))
            }
            0x93 => match self
                .stack
                .last_chunk()
                .map(|names| names.map(|id| self.node(id)))
            {
                Some([Some(Node::Str(module)), Some(Node::Str(name))]) => {
                    Some(format!("{module}.{name}"))
                }
                _ => None,
            },
            _ => None,
        };
        CopyError::new(match name {
            Some(name) => format!("the pickle isn't plain data: it wants {name}"),
            None => format!("the pickle isn't plain data: opcode 0x{opcode:02x}"),
        })
    }

    fn node(&self, id: Id) -> Option<&Node<'a>> {
        self.nodes.get(id as usize)
    }

    fn push(&mut self, node: Node<'a>) -> Outcome<()> {
        self.pay(size_of::<Node<'_>>())?;
        let id = Id::try_from(self.nodes.len()).map_err(|_| malformed())?;
        self.nodes.push(node);
        self.refer(id)
    }

    /// Puts a value on the stack; from there it may go into a container.
    fn refer(&mut self, id: Id) -> Outcome<()> {
        self.pay(2 * size_of::<Id>())?;
        self.stack.push(id);
        Ok(())
    }

    fn pay(&mut self, bytes: usize) -> Outcome<()> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| CopyError::new("the pickle holds too many values"))?;
        Ok(())
    }

    fn pop(&mut self) -> Outcome<Id> {
        if self.marks.last() == Some(&self.stack.len()) {
            return Err(malformed());
        }
        self.stack.pop().ok_or_else(malformed)
    }

    fn top(&self) -> Outcome<Id> {
        self.stack.last().copied().ok_or_else(malformed)
    }

    fn pop_to_mark(&mut self) -> Outcome<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(malformed)?;
        if mark > self.stack.len() {
            return Err(malformed());
        }
        Ok(self.stack.split_off(mark))
    }

    fn extend_items(&mut self, more: impl IntoIterator<Item = Id>) -> Outcome<()> {
        let top = self.top()?;
        let Some(Node::Items(items)) = self.nodes.get_mut(top as usize) else {
            return Err(malformed());
        };
        items.extend(more);
        Ok(())
    }

    fn extend_dict(&mut self, more: &[Id]) -> Outcome<()> {
        let more = pairs(more)?;
        let top = self.top()?;
        let Some(Node::Dict(items)) = self.nodes.get_mut(top as usize) else {
            return Err(malformed());
        };
        items.extend(more);
        Ok(())
    }

    fn remember(&mut self, index: usize) -> Outcome<()> {
        let top = self.top()?;
        if self.memo.len() <= index {
            // Empty places below it take memory, too.
            let more = (index + 1 - self.memo.len()).saturating_mul(size_of::<Option<Id>>());
            self.pay(more)?;
            self.memo.resize(index + 1, None);
        }
        if let Some(place) = self.memo.get_mut(index) {
            *place = Some(top);
        }
        Ok(())
    }

    fn recall(&mut self, index: usize) -> Outcome<()> {
        let known = self.memo.get(index).copied().flatten();
        self.refer(known.ok_or_else(malformed)?)
    }

    /// Pushes the int that the next bytes are, with its sign.
    fn long(&mut self, length: usize) -> Outcome<()> {
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|last| last & 0x80 != 0);
        let mut whole = if negative { [0xff; 16] } else { [0; 16] };
        let Some(part) = whole.get_mut(..length) else {
            return Err(CopyError::new("an int of more than 128 bits"));
        };
        part.copy_from_slice(bytes);
        self.push(Node::Int(i128::from_le_bytes(whole)))
    }

    /// Pushes the text whose length the next `width` bytes are.
    fn text(&mut self, width: usize) -> Outcome<()> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        self.push(Node::Str(text(bytes)))
    }

    fn bytes(&mut self, width: usize) -> Outcome<()> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        self.push(Node::Bytes(bytes))
    }

    fn byte(&mut self) -> Outcome<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk().ok_or_else(malformed)?;
        self.rest = rest;
        Ok(*array)
    }

    fn take(&mut self, length: usize) -> Outcome<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The number that the next `width` bytes are, eight at the most.
    fn number(&mut self, width: usize) -> Outcome<usize> {
        let bytes = self.take(width)?.iter().rev();
        let number = bytes.fold(0, |number, byte| number << 8 | u64::from(*byte));
        usize::try_from(number).map_err(|_| malformed())
    }
}

fn pairs(items: &[Id]) -> Outcome<Vec<(Id, Id)>> {
    let (pairs, []) = items.as_chunks::<2>() else {
        return Err(malformed());
    };
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// Python's text may hold lone surrogates, which Rust's can't.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}

fn malformed() -> CopyError {
    CopyError::new("the pickle is malformed")
}
