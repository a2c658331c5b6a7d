//! [`Places`]: who is there, how many of each source, and who goes when there is no room. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::source::Source;

/// How many there may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Caps {
    pub(crate) all: usize,
    pub(crate) per_source: usize,
}

/// Places, each with what holds it.
///
/// In a shortage the one that has been silent for the longest gives its place up: one of the
/// newcomer's own source, where there is one, so that a source that connects without end takes from
/// itself. Who has spoken keeps its place.
#[derive(Debug)]
pub(crate) struct Places<T> {
    caps: Caps,
    last: u64,
    taken: BTreeMap<u64, (Option<Source>, T)>,
    /// How many each source has.
    shares: HashMap<Source, usize>,
    /// Who hasn't been seen to have spoken.
    unheard: BTreeSet<u64>,
    /// The same by source.
    unheard_of: HashMap<Option<Source>, BTreeSet<u64>>,
}

/// Whether a holder may have to go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Holder {
    /// It has said nothing yet.
    Silent,
    /// It can't be told yet.
    Unknown,
    /// It has spoken, and so it stays.
    Spoken,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shortage {
    All,
    OfSource,
}

impl<T> Places<T> {
    pub(crate) fn new(caps: Caps) -> Places<T> {
        Places {
            caps,
            last: 0,
            taken: BTreeMap::new(),
            shares: HashMap::new(),
            unheard: BTreeSet::new(),
            unheard_of: HashMap::new(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.taken.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Gives a place to a newcomer, whose source has no share if it is `None`. Says its number, and
    /// who has lost a place to it.
    ///
    /// # Errors
    /// When there is none, and nobody silent.
    pub(crate) fn take(
        &mut self,
        source: Option<Source>,
        holder: T,
        judge: impl Fn(&T) -> Holder,
    ) -> Result<(u64, Option<T>), Shortage> {
        let share = source.and_then(|source| self.shares.get(&source).copied());
        let shortage = if share.unwrap_or(0) >= self.caps.per_source {
            Some(Shortage::OfSource)
        } else if self.taken.len() >= self.caps.all {
            Some(Shortage::All)
        } else {
            None
        };
        let displaced = match shortage {
            None => None,
            Some(shortage) => {
                let own = self.oldest_silent(Some(source), &judge);
                let number = own.or_else(|| match shortage {
                    Shortage::OfSource => None,
                    Shortage::All => self.oldest_silent(None, &judge),
                });
                Some(
                    number
                        .and_then(|number| self.free(number))
                        .ok_or(shortage)?,
                )
            }
        };
        self.last += 1;
        self.taken.insert(self.last, (source, holder));
        if let Some(source) = source {
            *self.shares.entry(source).or_default() += 1;
        }
        self.unheard.insert(self.last);
        self.unheard_of.entry(source).or_default().insert(self.last);
        Ok((self.last, displaced))
    }

    /// Frees a place; `None` when it was lost before.
    pub(crate) fn free(&mut self, number: u64) -> Option<T> {
        let (source, holder) = self.taken.remove(&number)?;
        self.heard(number, source);
        if let Some(source) = source
            && let Some(count) = self.shares.get_mut(&source)
        {
            *count -= 1;
            if *count == 0 {
                self.shares.remove(&source);
            }
        }
        Some(holder)
    }

    /// Frees all of them.
    pub(crate) fn clear(&mut self) -> Vec<T> {
        let last = self.last;
        let Places { taken, .. } = std::mem::replace(self, Places::new(self.caps));
        self.last = last;
        taken.into_values().map(|(_, holder)| holder).collect()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        self.taken.get_mut(&number).map(|(_, holder)| holder)
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.taken.contains_key(&number)
    }

    pub(crate) fn holders(&self) -> impl Iterator<Item = &T> {
        self.taken.values().map(|(_, holder)| holder)
    }

    pub(crate) fn holders_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.taken.values_mut().map(|(_, holder)| holder)
    }

    /// The one that has been silent for the longest, of a source or of all. Who has spoken isn't
    /// looked at again.
    fn oldest_silent(
        &mut self,
        of: Option<Option<Source>>,
        judge: impl Fn(&T) -> Holder,
    ) -> Option<u64> {
        let candidates = match of {
            Some(source) => self.unheard_of.get(&source)?,
            None => &self.unheard,
        };
        let mut spoken = Vec::new();
        let mut found = None;
        for &number in candidates {
            let Some((source, holder)) = self.taken.get(&number) else {
                continue;
            };
            match judge(holder) {
                Holder::Silent => {
                    found = Some(number);
                    break;
                }
                Holder::Unknown => {}
                Holder::Spoken => spoken.push((number, *source)),
            }
        }
        for (number, source) in spoken {
            self.heard(number, source);
        }
        found
    }

    fn heard(&mut self, number: u64, source: Option<Source>) {
        self.unheard.remove(&number);
        if let Some(unheard) = self.unheard_of.get_mut(&source) {
            unheard.remove(&number);
            if unheard.is_empty() {
                self.unheard_of.remove(&source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(address: &str) -> Option<Source> {
        Some(address.parse::<IpAddr>().expect("an address").into())
    }

    fn places(all: usize, per_source: usize) -> Places<Holder> {
        Places::new(Caps { all, per_source })
    }

    fn take(
        places: &mut Places<Holder>,
        address: &str,
        holder: Holder,
    ) -> Result<(u64, Option<Holder>), Shortage> {
        places.take(source(address), holder, |holder| *holder)
    }

    #[test]
    fn a_source_has_its_share_and_gets_it_back() {
        let mut places = places(3, 2);
        let spoken = Holder::Spoken;
        let (first, _) = take(&mut places, "192.0.2.1", spoken).expect("room");
        take(&mut places, "::ffff:192.0.2.1", spoken).expect("room");
        let refused = take(&mut places, "192.0.2.1", spoken);
        assert_eq!(refused, Err(Shortage::OfSource));
        take(&mut places, "2001:db8::1", spoken).expect("room");
        assert_eq!(places.free(first), Some(spoken));
        assert_eq!(places.free(first), None);
        take(&mut places, "2001:db8::2", spoken).expect("room again");
        let refused = take(&mut places, "192.0.2.9", spoken);
        assert_eq!(refused, Err(Shortage::All));
    }

    #[test]
    fn the_addresses_of_an_ipv6_network_share_one_share() {
        let mut places = places(10, 2);
        for n in 1..=2 {
            take(&mut places, &format!("2001:db8::{n}"), Holder::Spoken).expect("room");
        }
        let refused = take(&mut places, "2001:db8::3", Holder::Spoken);
        assert_eq!(refused, Err(Shortage::OfSource));
        take(&mut places, "2001:db8:0:1::1", Holder::Spoken).expect("another network");
    }

    #[test]
    fn in_a_shortage_the_silent_go_first_the_oldest_before_the_others() {
        let mut places = Places::new(Caps {
            all: 3,
            per_source: 3,
        });
        let judge = |holder: &(u8, Holder)| holder.1;
        let mut take = |number, address, holder| {
            places
                .take(source(address), (number, holder), judge)
                .map(|(_, lost)| lost)
        };
        assert_eq!(take(1, "10.0.0.1", Holder::Spoken), Ok(None));
        assert_eq!(take(2, "10.0.0.1", Holder::Silent), Ok(None));
        assert_eq!(take(3, "10.0.0.2", Holder::Silent), Ok(None));
        let newcomer = take(4, "10.0.0.3", Holder::Silent);
        assert_eq!(newcomer, Ok(Some((2, Holder::Silent))));
        let newcomer = take(5, "10.0.0.3", Holder::Spoken);
        assert_eq!(newcomer, Ok(Some((4, Holder::Silent))), "of its own source");
        let newcomer = take(6, "10.0.0.4", Holder::Spoken);
        assert_eq!(newcomer, Ok(Some((3, Holder::Silent))));
        assert_eq!(take(7, "10.0.0.5", Holder::Spoken), Err(Shortage::All));
    }

    #[test]
    fn a_source_with_a_full_share_takes_from_itself_alone() {
        let mut places = places(10, 1);
        take(&mut places, "10.0.0.1", Holder::Silent).expect("room");
        take(&mut places, "10.0.0.2", Holder::Spoken).expect("room");
        let refused = take(&mut places, "10.0.0.2", Holder::Spoken);
        assert_eq!(refused, Err(Shortage::OfSource));
        let newcomer = take(&mut places, "10.0.0.1", Holder::Spoken);
        assert_eq!(newcomer.map(|(_, lost)| lost), Ok(Some(Holder::Silent)));
    }

    #[test]
    fn who_is_neither_silent_nor_heard_is_asked_again_later() {
        let mut places = places(1, 1);
        let (number, _) = take(&mut places, "10.0.0.1", Holder::Unknown).expect("room");
        let refused = take(&mut places, "10.0.0.2", Holder::Spoken);
        assert_eq!(refused, Err(Shortage::All));
        *places.get_mut(number).expect("there") = Holder::Silent;
        take(&mut places, "10.0.0.2", Holder::Spoken).expect("the silent one's place");
    }
}
