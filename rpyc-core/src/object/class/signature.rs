//! [`Signature`]: which arguments a method takes, checked as Python checks its own functions'.

use crate::exception::Exception;
use crate::object::{Any, Args, FromAny};
use crate::wire::Str;

/// Which arguments a method takes.
#[derive(Clone, Debug)]
pub struct Signature {
    // "Calculator.add", for messages.
    function: Str,
    // Python counts `self`.
    receiver: bool,
    params: Vec<Param>,
    rest: bool,
    keywords: bool,
}

#[derive(Clone, Debug)]
struct Param {
    name: Str,
    required: bool,
}

/// The arguments of one call, each in its place.
#[derive(Debug)]
pub struct BoundArgs<'a> {
    signature: &'a Signature,
    slots: Vec<Option<Any>>,
    rest: Vec<Any>,
    keywords: Vec<(Str, Any)>,
}

impl Signature {
    /// A function's, without parameters so far.
    pub fn function(name: &str) -> Signature {
        Signature {
            function: Str::from(name),
            receiver: false,
            params: Vec::new(),
            rest: false,
            keywords: false,
        }
    }

    /// A method's, without parameters so far; `name` is `Class.method`.
    pub fn method(name: &str) -> Signature {
        Signature {
            receiver: true,
            ..Signature::function(name)
        }
    }

    /// Adds a parameter that must be given.
    #[must_use]
    pub fn required(self, name: &str) -> Signature {
        self.parameter(name, true)
    }

    /// Adds a parameter that has a default.
    #[must_use]
    pub fn optional(self, name: &str) -> Signature {
        self.parameter(name, false)
    }

    fn parameter(mut self, name: &str, required: bool) -> Signature {
        let name = Str::from(name);
        self.params.push(Param { name, required });
        self
    }

    /// Takes any number of further positional arguments: Python's `*args`.
    #[must_use]
    pub fn rest(mut self) -> Signature {
        self.rest = true;
        self
    }

    /// Takes any further keyword arguments: Python's `**kwargs`.
    #[must_use]
    pub fn keywords(mut self) -> Signature {
        self.keywords = true;
        self
    }

    /// How many positional arguments it takes at the most; `None` for any number.
    pub(super) fn most(&self) -> Option<usize> {
        (!self.rest).then_some(self.params.len())
    }

    /// Puts the arguments of a call in their places.
    ///
    /// # Errors
    /// A TypeError in Python's words: missing, too many, unknown or repeated arguments.
    pub fn bind(&self, args: Args) -> Result<BoundArgs<'_>, Exception> {
        let args = args.checked()?;
        let given = args.positional.len();
        let mut positional = args.positional.into_iter();
        let mut slots: Vec<Option<Any>> = self.params.iter().map(|_| positional.next()).collect();
        let rest: Vec<Any> = positional.collect();
        let mut keywords = Vec::new();
        for (name, value) in args.keyword {
            match self.params.iter().position(|param| param.name == name) {
                Some(index) if slots[index].is_none() => slots[index] = Some(value),
                None if self.keywords => keywords.push((name, value)),
                known => {
                    let what = match known {
                        Some(_) => "multiple values for argument",
                        None => "an unexpected keyword argument",
                    };
                    return Err(self.wrong(format_args!("got {what} '{name}'")));
                }
            }
        }
        // Python looks at the names first, too.
        if !rest.is_empty() && !self.rest {
            return Err(self.too_many(given));
        }
        let places = self.params.iter().zip(&slots);
        let missing = places.filter(|(param, slot)| param.required && slot.is_none());
        let missing: Vec<&Str> = missing.map(|(param, _)| &param.name).collect();
        if !missing.is_empty() {
            return Err(self.missing(&missing));
        }
        Ok(BoundArgs {
            signature: self,
            slots,
            rest,
            keywords,
        })
    }

    fn too_many(&self, given: usize) -> Exception {
        let receiver = usize::from(self.receiver);
        let most = self.params.len() + receiver;
        let required = self.params.iter().filter(|param| param.required).count();
        let least = required + receiver;
        let given = given + receiver;
        let takes = if least == most {
            format!("{most} positional argument{}", plural(most))
        } else {
            format!("from {least} to {most} positional arguments")
        };
        let were = if given == 1 { "was" } else { "were" };
        self.wrong(format_args!("takes {takes} but {given} {were} given"))
    }

    fn missing(&self, names: &[&Str]) -> Exception {
        let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
        let list = match &quoted[..] {
            [one] => one.clone(),
            [one, two] => format!("{one} and {two}"),
            [several @ .., last] => format!("{}, and {last}", several.join(", ")),
            [] => String::new(),
        };
        self.wrong(format_args!(
            "missing {} required positional argument{}: {list}",
            names.len(),
            plural(names.len())
        ))
    }

    fn wrong(&self, what: std::fmt::Arguments<'_>) -> Exception {
        Exception::type_error(format!("{}() {what}", self.function))
    }
}

impl BoundArgs<'_> {
    /// Takes the argument `index`, which is required.
    ///
    /// # Errors
    /// What the conversion gives: a TypeError that names the argument, mostly.
    pub fn required<T: FromAny>(&mut self, index: usize) -> Result<T, Exception> {
        // It is there: binding saw to it.
        T::from_any(self.take(index).unwrap_or(Any::NONE)).map_err(|error| {
            let name = self.signature.params.get(index).map(|param| &*param.name);
            error.for_argument(&self.signature.function, name.unwrap_or("?"))
        })
    }

    /// Takes the argument `index`, or its default.
    ///
    /// # Errors
    /// As [`required`](BoundArgs::required).
    pub fn optional<T: FromAny>(
        &mut self,
        index: usize,
        default: impl FnOnce() -> T,
    ) -> Result<T, Exception> {
        match self.slots.get(index) {
            Some(Some(_)) => self.required(index),
            _ => Ok(default()),
        }
    }

    /// Takes the positional arguments behind the last parameter.
    ///
    /// # Errors
    /// As [`required`](BoundArgs::required).
    pub fn rest<T: FromAny>(&mut self, name: &str) -> Result<Vec<T>, Exception> {
        let rest = std::mem::take(&mut self.rest).into_iter().enumerate();
        let function = &self.signature.function;
        rest.map(|(index, any)| {
            T::from_any(any).map_err(|error| error.of_item(index).for_argument(function, name))
        })
        .collect()
    }

    /// Takes the keyword arguments that no parameter has the name of, in the caller's order.
    ///
    /// # Errors
    /// As [`required`](BoundArgs::required).
    pub fn keywords<T: FromAny, C: FromIterator<(String, T)>>(&mut self) -> Result<C, Exception> {
        let keywords = std::mem::take(&mut self.keywords).into_iter();
        let function = &self.signature.function;
        keywords
            .map(|(name, any)| match T::from_any(any) {
                Ok(value) => Ok((String::from(name), value)),
                Err(error) => Err(error.for_argument(function, &name)),
            })
            .collect()
    }

    /// Takes the argument `index` as it is, if it is there.
    pub(crate) fn take(&mut self, index: usize) -> Option<Any> {
        self.slots.get_mut(index).and_then(Option::take)
    }
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
