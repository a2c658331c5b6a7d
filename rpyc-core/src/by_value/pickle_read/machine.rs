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
            b'J' => {
                let int = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(int.into()))
            }
            b'K' => {
                let int = self.byte()?;
                self.push(Node::Int(int.into()))
            }
            b'M' => {
                let int = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(int.into()))
            }
            0x8a => {
                let length = self.byte()?;
                self.long(length.into())
            }
            0x8b => {
                let length = self.length4()?;
                self.long(length)
            }
            b'G' => {
                let float = f64::from_be_bytes(self.array()?);
                self.push(Node::Float(float))
            }
            0x8c | b'X' | 0x8d => {
                let length = self.length_of(opcode, 0x8c, 0x8d)?;
                let bytes = self.take(length)?;
                self.push(Node::Str(text(bytes)))
            }
            b'C' | b'B' | 0x8e | 0x96 => {
                let length =
                    self.length_of(opcode, b'C', if opcode == 0x96 { 0x96 } else { 0x8e })?;
                let bytes = self.take(length)?;
                self.push(Node::Bytes(bytes))
            }
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
            b'q' => {
                let index = self.byte()?;
                self.remember(index.into())
            }
            b'r' => {
                let index = self.length4()?;
                self.remember(index)
            }
            b'h' => {
                let index = self.byte()?;
                self.recall(index.into())
            }
            b'j' => {
                let index = self.length4()?;
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
            0x93 => match self.stack.as_slice() {
                [.., module, name] => match (self.node(*module), self.node(*name)) {
                    (Some(Node::Str(module)), Some(Node::Str(name))) => {
                        Some(format!("{module}.{name}"))
                    }
                    _ => None,
                },
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
        if self
            .marks
            .last()
            .is_some_and(|mark| *mark == self.stack.len())
        {
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
        match self.nodes.get_mut(top as usize) {
            Some(Node::Items(items)) => {
                items.extend(more);
                Ok(())
            }
            _ => Err(malformed()),
        }
    }

    fn extend_dict(&mut self, more: &[Id]) -> Outcome<()> {
        let more = pairs(more)?;
        let top = self.top()?;
        match self.nodes.get_mut(top as usize) {
            Some(Node::Dict(items)) => {
                items.extend(more);
                Ok(())
            }
            _ => Err(malformed()),
        }
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

    fn length4(&mut self) -> Outcome<usize> {
        let length = u32::from_le_bytes(self.array()?);
        usize::try_from(length).map_err(|_| malformed())
    }

    /// The length that follows: one byte for the short opcode, eight for the long, else four.
    fn length_of(&mut self, opcode: u8, short: u8, long: u8) -> Outcome<usize> {
        if opcode == short {
            self.byte().map(usize::from)
        } else if opcode == long {
            let length = u64::from_le_bytes(self.array()?);
            usize::try_from(length).map_err(|_| malformed())
        } else {
            self.length4()
        }
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
