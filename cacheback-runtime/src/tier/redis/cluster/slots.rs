//! Slots: each key of a cluster is in one of 16,384, and each slot belongs to a master.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crc16::{State, XMODEM};
use redis::Value;

use super::super::answer;
use super::super::node;

/// How many there are.
const SLOTS: u16 = 16_384;

/// A slot of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Slot(u16);

impl Slot {
    /// That of a key. What stands between its first pair of braces counts, if that is anything.
    pub(in super::super) fn of(key: &str) -> Self {
        let tag = key.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map(|(tag, _)| tag);
        let counts = tag.filter(|tag| !tag.is_empty()).unwrap_or(key);
        Self(State::<XMODEM>::calculate(counts.as_bytes()) % SLOTS)
    }
}

/// Which master has which slots, as a server of the cluster sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The addresses of the masters, with their slots.
    ranges: Vec<(RangeInclusive<u16>, String)>,
    /// The addresses of the replicas, which can be asked for a layout.
    pub(super) replicas: Vec<String>,
}

impl Layout {
    /// The answer to `CLUSTER SLOTS` of a server on this host. `None` if it is none, or if no slot is served.
    pub(super) fn read(answer: Value, host: &str) -> Option<Self> {
        let Value::Array(items) = answer else { return None };
        let mut layout = Self::default();
        for item in items {
            let Value::Array(fields) = item else { return None };
            let [Value::Int(first), Value::Int(last), master, replicas @ ..] = &fields[..] else {
                return None;
            };
            let slot = |number: i64| u16::try_from(number).ok().filter(|slot| *slot < SLOTS);
            layout.ranges.push((slot(*first)?..=slot(*last)?, address(master, host)?));
            layout.replicas.extend(replicas.iter().filter_map(|replica| address(replica, host)));
        }
        // Two servers that see the same tell it in the same words.
        layout.ranges.sort_by_key(|(slots, _)| *slots.start());
        layout.replicas.sort_unstable();
        layout.replicas.dedup();
        (!layout.ranges.is_empty()).then_some(layout)
    }

    /// The masters, each once.
    pub(super) fn masters(&self) -> Vec<&str> {
        let mut masters: Vec<_> = self.ranges.iter().map(|(_, master)| &**master).collect();
        masters.sort_unstable();
        masters.dedup();
        masters
    }

    /// The one that most servers give; of two that are given as often, the one that was given first.
    pub(super) fn of_most(layouts: Vec<Self>) -> Option<Self> {
        let votes = |layout: &Self| layouts.iter().filter(|other| *other == layout).count();
        let most = layouts.iter().map(votes).max()?;
        layouts.iter().find(|layout| votes(layout) == most).cloned()
    }

    pub(super) fn slots(&self) -> Owners {
        let mut owners = Owners::default();
        for (slots, master) in &self.ranges {
            for slot in slots.clone() {
                owners.set(Slot(slot), master);
            }
        }
        owners
    }
}

/// The address in a description of a server: host, port, and more. A server that does not know its own host gives none.
fn address(server: &Value, asked: &str) -> Option<String> {
    let Value::Array(fields) = server else { return None };
    let [host, Value::Int(port), ..] = &fields[..] else { return None };
    let host = answer::bytes(host.clone()).and_then(|host| String::from_utf8(host).ok());
    let host = host.filter(|host| !host.is_empty() && host != "?").unwrap_or_else(|| asked.to_owned());
    Some(node::at(&host, u16::try_from(*port).ok()?))
}

/// The owner of each slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    addresses: Vec<String>,
    /// The place of the owner's address and one, or 0.
    places: Vec<u16>,
}

impl Owners {
    pub(super) fn of(&self, Slot(slot): Slot) -> Option<&str> {
        let place = self.places.get(usize::from(slot))?.checked_sub(1)?;
        self.addresses.get(usize::from(place)).map(|address| &**address)
    }

    pub(super) fn set(&mut self, Slot(slot): Slot, address: &str) {
        let place = self.addresses.iter().position(|own| own == address).unwrap_or_else(|| {
            self.addresses.push(address.to_owned());
            self.addresses.len() - 1
        });
        self.places.resize(SLOTS.into(), 0);
        self.places[usize::from(slot)] = u16::try_from(place + 1).unwrap_or(0);
    }

    /// The slots of each server.
    pub(super) fn counts(&self) -> HashMap<&str, usize> {
        let mut counts = HashMap::new();
        for place in &self.places {
            if let Some(address) =
                place.checked_sub(1).and_then(|place| self.addresses.get(usize::from(place)))
            {
                *counts.entry(&**address).or_insert(0) += 1;
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `CLUSTER KEYSLOT` has them.
    #[test]
    fn the_slots_of_keys() {
        for (key, slot) in [
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}bar", 12182),
            ("cb1:v:{foo}", 12182),
            ("cb1:l:{foo}", 12182),
            ("{}foo", 9500),
            ("", 0),
        ] {
            assert_eq!(Slot::of(key), Slot(slot), "{key}");
        }
        assert_eq!(Slot::of("foo{{bar}}zap"), Slot::of("{bar"), "the first pair");
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn server(host: &str, port: i64) -> Value {
        Value::Array(vec![text(host), Value::Int(port), text("an id"), Value::Array(vec![])])
    }

    fn range(first: i64, last: i64, servers: &[Value]) -> Value {
        let bounds = [Value::Int(first), Value::Int(last)];
        Value::Array(bounds.into_iter().chain(servers.iter().cloned()).collect())
    }

    #[test]
    fn a_layout_is_what_the_server_tells() {
        let answer = Value::Array(vec![
            range(8_192, 16_383, &[server("b", 7001)]),
            range(0, 100, &[server("", 7000), server("?", 7002)]),
            range(102, 8_191, &[server("b", 7001), server("c", 7003)]),
        ]);
        let layout = Layout::read(answer, "asked").unwrap();
        assert_eq!(layout.masters(), ["asked:7000", "b:7001"]);
        assert_eq!(layout.replicas, ["asked:7002", "c:7003"]);
        let mut owners = layout.slots();
        let of = |owners: &Owners, slot| owners.of(Slot(slot)).map(str::to_owned);
        for (slot, owner) in [
            (0, Some("asked:7000")),
            (100, Some("asked:7000")),
            (101, None),
            (102, Some("b:7001")),
            (16_383, Some("b:7001")),
        ] {
            assert_eq!(of(&owners, slot).as_deref(), owner, "{slot}");
        }
        owners.set(Slot(101), "new:7009");
        owners.set(Slot(0), "b:7001");
        assert_eq!(of(&owners, 101).as_deref(), Some("new:7009"));
        assert_eq!(of(&owners, 0).as_deref(), Some("b:7001"));
        assert_eq!(owners.counts()["asked:7000"], 100);
        assert_eq!(owners.counts()["new:7009"], 1);
    }

    #[test]
    fn what_is_no_layout() {
        for answer in [
            Value::Nil,
            Value::Array(vec![]),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![range(0, 16_384, &[server("a", 1)])]),
            Value::Array(vec![range(-1, 1, &[server("a", 1)])]),
            Value::Array(vec![range(0, 1, &[server("a", 70_000)])]),
            Value::Array(vec![range(0, 1, &[])]),
        ] {
            assert_eq!(Layout::read(answer.clone(), "asked"), None, "{answer:?}");
        }
    }

    #[test]
    fn most_servers_are_right() {
        let of = |host: &str| {
            Layout::read(Value::Array(vec![range(0, 16_383, &[server(host, 1)])]), "asked").unwrap()
        };
        let most = |hosts: &[&str]| {
            let layouts = hosts.iter().map(|host| of(host)).collect();
            Layout::of_most(layouts).map(|layout| layout.masters()[0].to_owned())
        };
        assert_eq!(most(&[]), None);
        assert_eq!(most(&["a", "b", "b"]).as_deref(), Some("b:1"));
        assert_eq!(most(&["a", "b"]).as_deref(), Some("a:1"), "the first");
    }
}
