//! What a message holds, read into whatever its reader makes of it: [`Boxed`], or what that stands for.

use super::{
    boxed::{self, Boxed, LABEL, LOCAL_REF, NUMBER, PAIR, REMOTE_REF, TRIPLE, TUPLE, VALUE},
    decode, dialect,
    error::{DecodeError, DecodeErrorKind, ShapeError},
    idpack::{self, ClassId, IdPack, InstanceId, Kind},
    reader::Reader,
    tag,
    value::Value,
};

/// Makes something of the values and references of a message, in the order in which they stand there.
pub(crate) trait Resolver {
    /// What it makes.
    type Item;

    /// Makes an item of a value.
    fn value(&mut self, value: Value) -> Self::Item;

    /// Makes a tuple of the items that it has made of its parts, of which some are references.
    fn tuple(&mut self, items: Vec<Self::Item>) -> Self::Item;

    /// Makes an item of an object that lives with whoever receives the message. `bytes` are the id_pack's as it was
    /// sent, where it was sent as one.
    fn local(&mut self, id_pack: IdPack, bytes: &[u8]) -> Self::Item;

    /// The same where `bytes` begin with an id_pack that it knows; gives that one's length, too.
    fn known_local(&mut self, bytes: &[u8]) -> Option<(usize, Self::Item)> {
        let _ = bytes;
        None
    }

    /// Makes an item of an object that lives with whoever sends the message.
    fn remote(&mut self, id_pack: IdPack) -> Self::Item;

    /// The arguments of DEL, which aren't resolved: what the request has in their place.
    fn released(&mut self, args: Vec<Boxed>) -> Vec<Self::Item>;

    /// Takes what it has made of the part of a message whose rest is malformed.
    fn discard(&mut self, items: Vec<Self::Item>) {
        drop(items);
    }

    /// Makes an item of what has been read already.
    fn boxed(&mut self, boxed: Boxed) -> Self::Item {
        match boxed {
            Boxed::Value(value) => self.value(value),
            Boxed::Tuple(items) => {
                let items = items.into_iter().map(|item| self.boxed(item)).collect();
                self.tuple(items)
            }
            Boxed::LocalRef(id_pack) => self.local(id_pack, &[]),
            Boxed::RemoteRef(id_pack) => self.remote(id_pack),
        }
    }
}

/// Keeps everything as it is.
pub(crate) struct AsBoxed;

impl Resolver for AsBoxed {
    type Item = Boxed;

    fn value(&mut self, value: Value) -> Boxed {
        Boxed::Value(value)
    }

    fn tuple(&mut self, items: Vec<Boxed>) -> Boxed {
        Boxed::tuple(items)
    }

    fn local(&mut self, id_pack: IdPack, _: &[u8]) -> Boxed {
        Boxed::LocalRef(id_pack)
    }

    fn remote(&mut self, id_pack: IdPack) -> Boxed {
        Boxed::RemoteRef(id_pack)
    }

    fn released(&mut self, args: Vec<Boxed>) -> Vec<Boxed> {
        args
    }
}

/// Reads one thing, and gives it to `put`.
pub(super) fn read<R: Resolver, T>(
    reader: &mut Reader<'_>,
    resolver: &mut R,
    put: impl FnOnce(R::Item) -> T,
) -> Result<T, Problem> {
    Ok(match label(reader)? {
        VALUE => put(resolver.value(decode::value(reader)?)),
        TUPLE => {
            let items = items(reader, resolver, false)?;
            put(resolver.tuple(items))
        }
        LOCAL_REF => put(local(reader, resolver)?),
        REMOTE_REF => put(resolver.remote(remote(reader)?)),
        _ => return Err(ShapeError::new(LABEL, "another int").into()),
    })
}

/// Reads the arguments of a request: a boxed tuple.
pub(super) fn read_args<R: Resolver>(
    reader: &mut Reader<'_>,
    resolver: &mut R,
) -> Result<Vec<R::Item>, Problem> {
    match label(reader)? {
        VALUE => items(reader, resolver, true),
        TUPLE => items(reader, resolver, false),
        LOCAL_REF | REMOTE_REF => {
            Err(ShapeError::new("a tuple of arguments", "a reference").into())
        }
        _ => Err(ShapeError::new(LABEL, "another int").into()),
    }
}

/// Why a part of a message can't be had.
pub(super) enum Problem {
    /// The bytes are no value.
    Decode(Box<DecodeError>),
    /// They begin one that does not belong there. The rest isn't read.
    Shape(Box<ShapeError>),
}

impl From<Box<DecodeError>> for Problem {
    fn from(error: Box<DecodeError>) -> Self {
        Self::Decode(error)
    }
}

impl From<ShapeError> for Problem {
    #[cold]
    fn from(error: ShapeError) -> Self {
        Self::Shape(Box::new(error))
    }
}

/// Reads the count of a tuple; what is there instead is a shape error.
#[inline]
pub(super) fn tuple_count(
    reader: &mut Reader<'_>,
    expected: &'static str,
) -> Result<usize, Problem> {
    decode::head(reader, tag::TUPLE, expected).map_err(|error| no_tuple(error, expected))
}

/// Reads the head of a tuple of `count` items.
#[inline]
pub(super) fn tuple_of(
    reader: &mut Reader<'_>,
    count: usize,
    expected: &'static str,
) -> Result<(), Problem> {
    match tuple_count(reader, expected)? == count {
        true => Ok(()),
        false => Err(ShapeError::new(expected, ANOTHER_LENGTH).into()),
    }
}

#[cold]
fn no_tuple(error: Box<DecodeError>, expected: &'static str) -> Problem {
    match error.kind {
        DecodeErrorKind::UnexpectedTag { .. } => ShapeError::new(expected, "another value").into(),
        _ => error.into(),
    }
}

#[inline]
pub(super) fn label(reader: &mut Reader<'_>) -> Result<i64, Problem> {
    match reader.pair_of_small_int() {
        Some(label) => Ok(label),
        None => odd_label(reader),
    }
}

/// Reads a label that isn't as Python writes it, and may be none.
#[cold]
fn odd_label(reader: &mut Reader<'_>) -> Result<i64, Problem> {
    tuple_of(reader, 2, PAIR)?;
    let label = decode::value(reader)?;
    Ok(label
        .as_i64()
        .ok_or_else(|| ShapeError::new(LABEL, label.type_name()))?)
}

/// Reads a tuple: of values, or of things with labels.
fn items<R: Resolver>(
    reader: &mut Reader<'_>,
    resolver: &mut R,
    of_values: bool,
) -> Result<Vec<R::Item>, Problem> {
    let count = tuple_count(reader, "a tuple")?;
    if count == 0 {
        return Ok(Vec::new());
    }
    reader.begin_items(count)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        reader.begin_item();
        let outcome = match of_values {
            true => decode::value(reader)
                .map(|value| items.push(resolver.value(value)))
                .map_err(Problem::from),
            false => read(reader, resolver, |item| items.push(item)),
        };
        if let Err(problem) = outcome {
            resolver.discard(items);
            return Err(problem);
        }
    }
    reader.end_items();
    Ok(items)
}

/// Reads what stands for an object that lives here.
fn local<R: Resolver>(reader: &mut Reader<'_>, resolver: &mut R) -> Result<R::Item, Problem> {
    if reader.dialect().references().are_numbers() {
        let value = decode::value(reader)?;
        let id_pack = dialect::named_by(&value);
        let id_pack = id_pack.ok_or_else(|| ShapeError::new(NUMBER, value.type_name()))?;
        return Ok(resolver.local(id_pack, &[]));
    }
    let bytes = reader.rest();
    if let Some((length, item)) = resolver.known_local(bytes) {
        reader.take("an id_pack", length)?;
        return Ok(item);
    }
    let id_pack = id_pack(reader)?;
    let length = bytes.len().saturating_sub(reader.left());
    Ok(resolver.local(id_pack, bytes.get(..length).unwrap_or_default()))
}

/// Reads what stands for an object that lives at the peer.
fn remote(reader: &mut Reader<'_>) -> Result<IdPack, Problem> {
    if !reader.dialect().references().are_numbers() {
        let id_pack = id_pack(reader)?;
        return Ok(boxed::named_here(id_pack, reader.dialect()));
    }
    tuple_of(reader, 3, TRIPLE)?;
    let parts = [
        decode::value(reader)?,
        decode::value(reader)?,
        decode::value(reader)?,
    ];
    Ok(boxed::remote_of(parts, reader.dialect())?)
}

/// Reads an id_pack, without the detour over a value.
fn id_pack(reader: &mut Reader<'_>) -> Result<IdPack, Problem> {
    let count = tuple_count(reader, idpack::EXPECTED)?;
    if !(3..=5).contains(&count) {
        return Err(ShapeError::new(idpack::EXPECTED, ANOTHER_LENGTH).into());
    }
    let name = match reader.skip(tag::STR) {
        true => decode::text(reader)?,
        false => dialect::name(decode::value(reader)?, idpack::NAME)?,
    };
    let (class, instance) = (ClassId(id(reader)?), InstanceId(id(reader)?));
    let mut kind = match count {
        3 => Kind::Untold,
        _ => Kind::from_value(&decode::value(reader)?),
    };
    if count == 5 {
        // The peer doesn't know yet whom it tells the kind: it would take one that came back for rpyc-ng's.
        decode::value(reader)?;
        kind = Kind::Untold;
    }
    Ok(IdPack {
        name,
        class,
        instance,
        kind,
    })
}

fn id(reader: &mut Reader<'_>) -> Result<u64, Problem> {
    let number = match reader.short_int() {
        Some(int) => match u64::try_from(int) {
            Ok(id) => return Ok(id),
            Err(_) => int.into(),
        },
        None => decode::value(reader)?,
    };
    Ok(idpack::id(&number)?)
}

/// What is found where a tuple has too few or too many items.
pub(super) const ANOTHER_LENGTH: &str = "a tuple of another length";
