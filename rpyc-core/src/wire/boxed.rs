//! What an argument or a result is on the wire: a value, or a reference.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    decode,
    dialect::{self, Dialect, Kinds},
    encode::{Sink, Writer},
    error::{DecodeError, DecodeErrorKind, EncodeError, ShapeError},
    idpack::{self, ClassId, IdPack, InstanceId, Kind},
    limits::Limits,
    reader::Reader,
    string::Str,
    tag,
    value::{self, Value},
};

/// An argument or a result.
#[derive(Debug, Clone, PartialEq)]
pub enum Boxed {
    /// By value.
    Value(Value),
    /// A tuple with at least one reference in it; build it by [`Boxed::tuple`].
    Tuple(Vec<Boxed>),
    /// An object that lives with whoever *receives* this.
    LocalRef(IdPack),
    /// An object that lives with whoever *sends* this.
    RemoteRef(IdPack),
}

impl Boxed {
    /// A tuple of the items: by value if all of them are.
    #[must_use]
    pub fn tuple(items: Vec<Boxed>) -> Self {
        if !items.iter().all(|item| matches!(item, Self::Value(_))) {
            return Self::Tuple(items);
        }
        let values = items.into_iter().filter_map(|item| match item {
            Self::Value(value) => Some(value),
            Self::Tuple(_) | Self::LocalRef(_) | Self::RemoteRef(_) => None,
        });
        Self::Value(Value::Tuple(values.collect()))
    }

    /// What the pair of a label and a value stands for.
    ///
    /// # Errors
    ///
    /// The value is no such pair, or tuples are nested deeper than [`max_depth`](Limits#structfield.max_depth).
    pub fn from_value(value: Value, dialect: Dialect, limits: &Limits) -> Result<Self, ShapeError> {
        from_pair(value, dialect, limits.depth())
    }

    /// Reads one.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Problem> {
        Ok(match label(reader)? {
            Label::Value => Self::Value(decode::value(reader)?),
            Label::Tuple => Self::tuple(items(reader, Self::read)?),
            Label::LocalRef => Self::LocalRef(local(reader)?),
            Label::RemoteRef => Self::RemoteRef(remote(reader)?),
        })
    }

    /// Reads the arguments of a request: a boxed tuple.
    pub(super) fn read_args(reader: &mut Reader<'_>) -> Result<Vec<Self>, Problem> {
        match label(reader)? {
            Label::Value => items(reader, |reader| Ok(Self::Value(decode::value(reader)?))),
            Label::Tuple => items(reader, Self::read),
            Label::LocalRef | Label::RemoteRef => {
                Err(ShapeError::new("a tuple of arguments", "a reference").into())
            }
        }
    }

    /// Writes it.
    pub(super) fn write<S: Sink>(
        &self,
        writer: &mut Writer<'_, S>,
    ) -> Result<(), Box<EncodeError>> {
        match self {
            Self::Value(value) => {
                writer.pair_of(VALUE);
                writer.value(value)
            }
            Self::Tuple(items) => Self::write_tuple(items, writer),
            Self::LocalRef(id_pack) => write_local(id_pack, writer),
            Self::RemoteRef(id_pack) => write_remote(id_pack, writer),
        }
    }

    /// Writes the items as a boxed tuple: by value if all of them are.
    pub(super) fn write_tuple<S: Sink>(
        items: &[Self],
        writer: &mut Writer<'_, S>,
    ) -> Result<(), Box<EncodeError>> {
        let by_value = items.iter().all(|item| matches!(item, Self::Value(_)));
        writer.pair_of(if by_value { VALUE } else { TUPLE });
        writer.begin_items(items.len())?;
        for item in items {
            match item {
                Self::Value(value) if by_value => writer.value(value)?,
                item => item.write(writer)?,
            }
        }
        writer.end_items(items.len());
        Ok(())
    }
}

/// Writes the arguments of a call as a boxed tuple.
pub(super) fn write_call<S: Sink>(
    object: &IdPack,
    method: Option<&str>,
    positional: &[Boxed],
    keyword: &[Boxed],
    writer: &mut Writer<'_, S>,
) -> Result<(), Box<EncodeError>> {
    let count = 3 + usize::from(method.is_some());
    writer.pair_of(TUPLE);
    writer.begin_items(count)?;
    write_local(object, writer)?;
    if let Some(name) = method {
        writer.pair_of(VALUE);
        writer.text(name)?;
    }
    Boxed::write_tuple(positional, writer)?;
    Boxed::write_tuple(keyword, writer)?;
    writer.end_items(count);
    Ok(())
}

/// Drops what was boxed without recursion, as [`value::dismantle`] does.
pub(crate) fn dismantle(mut boxed: Vec<Boxed>) {
    while let Some(item) = boxed.pop() {
        match item {
            Boxed::Value(value) => value::dismantle(vec![value]),
            Boxed::Tuple(items) => boxed.extend(items),
            Boxed::LocalRef(_) | Boxed::RemoteRef(_) => {}
        }
    }
}

impl<T: Into<Value>> From<T> for Boxed {
    fn from(value: T) -> Self {
        Self::Value(value.into())
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
    let start = reader.offset();
    let tag = reader.u8(expected)?;
    decode::tuple_count(reader, tag, expected, start).map_err(|error| no_tuple(error, expected))
}

#[cold]
fn no_tuple(error: Box<DecodeError>, expected: &'static str) -> Problem {
    match error.kind {
        DecodeErrorKind::UnexpectedTag { .. } => ShapeError::new(expected, "another value").into(),
        _ => error.into(),
    }
}

/// What is expected where a label stands.
pub(super) const LABEL: &str = "a label from 1 to 4";

enum Label {
    Value,
    Tuple,
    LocalRef,
    RemoteRef,
}

impl Label {
    fn from_value(label: &Value) -> Result<Self, ShapeError> {
        match label.as_i64() {
            Some(label) => Self::from_int(label),
            None => Err(ShapeError::new(LABEL, label.type_name())),
        }
    }

    fn from_int(label: i64) -> Result<Self, ShapeError> {
        match label {
            VALUE => Ok(Self::Value),
            TUPLE => Ok(Self::Tuple),
            LOCAL_REF => Ok(Self::LocalRef),
            REMOTE_REF => Ok(Self::RemoteRef),
            _ => Err(ShapeError::new(LABEL, "another int")),
        }
    }
}

/// Reads the head of a boxed value, up to its label.
fn label(reader: &mut Reader<'_>) -> Result<Label, Problem> {
    match reader.pair_of_small_int() {
        Some(label) => Ok(Label::from_int(label)?),
        None => odd_label(reader),
    }
}

/// Reads a head that isn't as Python writes it, and may be none.
#[cold]
fn odd_label(reader: &mut Reader<'_>) -> Result<Label, Problem> {
    if tuple_count(reader, PAIR)? != 2 {
        return Err(ShapeError::new(PAIR, "a tuple of another length").into());
    }
    Ok(Label::from_value(&decode::value(reader)?)?)
}

/// Reads a tuple, each item by `read`.
fn items<T>(
    reader: &mut Reader<'_>,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let count = tuple_count(reader, "a tuple")?;
    if count == 0 {
        return Ok(Vec::new());
    }
    reader.announce(count)?;
    reader.enter()?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        reader.begin_item();
        items.push(read(reader)?);
    }
    reader.leave();
    Ok(items)
}

/// Reads what stands for an object that lives here.
fn local(reader: &mut Reader<'_>) -> Result<IdPack, Problem> {
    if !reader.dialect().references().are_numbers() {
        return id_pack(reader);
    }
    let value = decode::value(reader)?;
    dialect::named_by(&value).ok_or_else(|| ShapeError::new(NUMBER, value.type_name()).into())
}

/// Reads what stands for an object that lives at the peer.
fn remote(reader: &mut Reader<'_>) -> Result<IdPack, Problem> {
    if !reader.dialect().references().are_numbers() {
        let id_pack = id_pack(reader)?;
        return Ok(named_here(id_pack, reader.dialect()));
    }
    if tuple_count(reader, TRIPLE)? != 3 {
        return Err(ShapeError::new(TRIPLE, "a tuple of another length").into());
    }
    let parts = [
        decode::value(reader)?,
        decode::value(reader)?,
        decode::value(reader)?,
    ];
    Ok(remote_of(parts, reader.dialect())?)
}

/// The number, the class and the module that rpyc 4.0 and older call an object by, as an id_pack.
fn remote_of([number, class, module]: [Value; 3], dialect: Dialect) -> Result<IdPack, ShapeError> {
    let instance = InstanceId::from_value(&number)?;
    let class = dialect::name(class, TRIPLE)?;
    let module = dialect::name(module, TRIPLE)?;
    let name = Str::from(format!("{module}.{class}"));
    // Of the class they tell the name alone, and take those of one name for one.
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    let class = ClassId(hasher.finish());
    Ok(named_here(IdPack::new(name, class, instance), dialect))
}

/// The id_pack of an object of the peer's, by the name that its class has here.
fn named_here(mut id_pack: IdPack, dialect: Dialect) -> IdPack {
    id_pack.name = dialect.class_name_here(id_pack.name);
    id_pack
}

/// Reads an id_pack, without the detour over a value.
fn id_pack(reader: &mut Reader<'_>) -> Result<IdPack, Problem> {
    let count = tuple_count(reader, "an id_pack (str, int, int)")?;
    if !(3..=5).contains(&count) {
        return Err(
            ShapeError::new("an id_pack (str, int, int)", "a tuple of another length").into(),
        );
    }
    let name = match reader.skip(tag::STR) {
        true => decode::text(reader)?,
        false => dialect::name(decode::value(reader)?, "a str as the name in an id_pack")?,
    };
    let (class, instance) = (ClassId(id(reader)?), InstanceId(id(reader)?));
    let mut kind = match count {
        3 => Kind::Untold,
        _ => Kind::from_value(&decode::value(reader)?),
    };
    if count == 5 {
        // It is of a peer that doesn't know yet whom it tells the kind: it would take one that came back
        // for rpyc-ng's.
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

/// Reads the number of a class or of an object.
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

/// Writes a reference to an object of the peer's: as it came.
fn write_local<S: Sink>(
    id_pack: &IdPack,
    writer: &mut Writer<'_, S>,
) -> Result<(), Box<EncodeError>> {
    writer.pair_of(LOCAL_REF);
    if writer.dialect().references().are_numbers() {
        writer.unsigned(dialect::number_of(id_pack));
        return Ok(());
    }
    match id_pack.kind.number() {
        None => {
            let name = writer.dialect().class_name(&id_pack.name);
            writer.tuple_header(3)?;
            write_id_pack(id_pack, &name, writer)
        }
        Some(kind) => {
            writer.tuple_header(4)?;
            write_id_pack(id_pack, &id_pack.name, writer)?;
            writer.small_int(kind.into());
            Ok(())
        }
    }
}

/// Writes a reference to an object that lives here.
fn write_remote<S: Sink>(
    id_pack: &IdPack,
    writer: &mut Writer<'_, S>,
) -> Result<(), Box<EncodeError>> {
    writer.pair_of(REMOTE_REF);
    let dialect = writer.dialect();
    if !dialect.references().are_numbers() {
        // A peer that turns out to know objects by numbers takes the name for one: it is the root's, which nothing
        // else could be as long as that isn't known.
        let kinds = dialect.references().kinds();
        writer.tuple_header(kinds.items())?;
        write_id_pack(id_pack, &dialect.class_name(&id_pack.name), writer)?;
        if kinds != Kinds::Untold {
            let own = if id_pack.is_class() {
                Kind::Class
            } else {
                Kind::Instance
            };
            let told = id_pack.kind.number().or(own.number());
            writer.small_int(told.unwrap_or_default().into());
        }
        if kinds == Kinds::ToWhomever {
            writer.value(&Value::None)?;
        }
        return Ok(());
    }
    // What is a class, the peer is to know by the class of classes.
    let name = if id_pack.is_class() {
        "builtins.type"
    } else {
        &*id_pack.name
    };
    let name = dialect.class_name(name);
    let (class, module) = dialect::split(&name);
    writer.tuple_header(3)?;
    writer.unsigned(dialect::number_of(id_pack));
    writer.text(class)?;
    writer.text(module)
}

/// Writes the first three items of an id_pack.
fn write_id_pack<S: Sink>(
    id_pack: &IdPack,
    name: &str,
    writer: &mut Writer<'_, S>,
) -> Result<(), Box<EncodeError>> {
    writer.text(name)?;
    writer.unsigned(id_pack.class.0);
    writer.unsigned(id_pack.instance.0);
    Ok(())
}

/// What a value stands for, with at most `levels` of nested tuples.
fn from_pair(value: Value, dialect: Dialect, levels: usize) -> Result<Boxed, ShapeError> {
    let found = value.type_name();
    let pair = value
        .into_tuple()
        .and_then(|parts| <[Value; 2]>::try_from(parts).ok());
    let [label, value] = pair.ok_or_else(|| ShapeError::new(PAIR, found))?;
    Ok(match Label::from_value(&label)? {
        Label::Value => Boxed::Value(value),
        Label::LocalRef if dialect.references().are_numbers() => {
            let id_pack = dialect::named_by(&value);
            Boxed::LocalRef(id_pack.ok_or_else(|| ShapeError::new(NUMBER, value.type_name()))?)
        }
        Label::RemoteRef if dialect.references().are_numbers() => {
            let found = value.type_name();
            let parts = value
                .into_tuple()
                .and_then(|parts| <[Value; 3]>::try_from(parts).ok());
            let parts = parts.ok_or_else(|| ShapeError::new(TRIPLE, found))?;
            Boxed::RemoteRef(remote_of(parts, dialect)?)
        }
        Label::LocalRef => Boxed::LocalRef(IdPack::from_value(&value)?),
        Label::RemoteRef => Boxed::RemoteRef(named_here(IdPack::from_value(&value)?, dialect)),
        Label::Tuple => {
            let found = value.type_name();
            let items = value
                .into_tuple()
                .ok_or_else(|| ShapeError::new("a tuple", found))?;
            let levels = levels
                .checked_sub(1)
                .ok_or_else(|| ShapeError::new("tuples nested less deep", found))?;
            let items: Result<_, _> = items
                .into_iter()
                .map(|item| from_pair(item, dialect, levels))
                .collect();
            Boxed::tuple(items?)
        }
    })
}

const NUMBER: &str = "the number of an object";
const TRIPLE: &str = "a reference (int, str, str)";
const PAIR: &str = "a pair of label and value";

const VALUE: i64 = 1;
const TUPLE: i64 = 2;
const LOCAL_REF: i64 = 3;
const REMOTE_REF: i64 = 4;
