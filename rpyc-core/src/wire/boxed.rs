//! What an argument or a result is on the wire: a value, or a reference.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::{
    dialect::{self, Dialect, Kinds},
    encode::Writer,
    error::{EncodeError, ShapeError},
    idpack::{ClassId, IdPack, InstanceId, Kind},
    string::Str,
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

    pub(super) fn write(&self, writer: &mut Writer<'_>) -> Result<(), Box<EncodeError>> {
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
    pub(super) fn write_tuple(
        items: &[Self],
        writer: &mut Writer<'_>,
    ) -> Result<(), Box<EncodeError>> {
        if items.is_empty() {
            // Most calls have at least one.
            writer.pair_of(VALUE);
            return writer.tuple_header(0);
        }
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

/// What is called.
#[derive(Clone, Copy)]
pub(crate) struct Callee<'a> {
    /// An object of the receiver's.
    pub(crate) object: &'a IdPack,
    /// The reference to it, encoded for the peer, where that is kept.
    pub(crate) encoded: Option<&'a [u8]>,
    /// The name of its method, for CALLATTR.
    pub(crate) method: Option<&'a str>,
}

/// Writes the arguments of a call as a boxed tuple.
pub(super) fn write_call(
    callee: Callee<'_>,
    positional: &[Boxed],
    keyword: &[Boxed],
    writer: &mut Writer<'_>,
) -> Result<(), Box<EncodeError>> {
    let count = 3 + usize::from(callee.method.is_some());
    writer.pair_of(TUPLE);
    writer.begin_items(count)?;
    match callee.encoded {
        Some(encoded) => writer.put(encoded),
        None => write_local(callee.object, writer)?,
    }
    if let Some(name) = callee.method {
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

pub(super) const LABEL: &str = "a label from 1 to 4";

/// The number, the class and the module that rpyc 4.0 and older call an object by, as an id_pack.
pub(super) fn remote_of(
    [number, class, module]: [Value; 3],
    dialect: Dialect,
) -> Result<IdPack, ShapeError> {
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
pub(super) fn named_here(mut id_pack: IdPack, dialect: Dialect) -> IdPack {
    id_pack.name = dialect.class_name_here(id_pack.name);
    id_pack
}

/// Writes a reference to an object of the peer's: as it came.
pub(super) fn write_local(
    id_pack: &IdPack,
    writer: &mut Writer<'_>,
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
fn write_remote(id_pack: &IdPack, writer: &mut Writer<'_>) -> Result<(), Box<EncodeError>> {
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

fn write_id_pack(
    id_pack: &IdPack,
    name: &str,
    writer: &mut Writer<'_>,
) -> Result<(), Box<EncodeError>> {
    writer.text(name)?;
    writer.unsigned(id_pack.class.0);
    writer.unsigned(id_pack.instance.0);
    Ok(())
}

pub(super) const NUMBER: &str = "the number of an object";
pub(super) const TRIPLE: &str = "a reference (int, str, str)";
pub(super) const PAIR: &str = "a pair of label and value";

pub(super) const VALUE: i64 = 1;
pub(super) const TUPLE: i64 = 2;
pub(super) const LOCAL_REF: i64 = 3;
pub(super) const REMOTE_REF: i64 = 4;
