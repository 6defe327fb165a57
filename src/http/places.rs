//! How many connections may be open: in all, and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::visitor::is_neighbour;
use crate::config::Config;
use crate::flows::attempts::network;
use crate::telemetry;
use crate::throttle::Seldom;

/// Of the internal side: health, numbers, and the services that may ask.
const INTERNAL: u32 = 256;

/// The places of one side.
pub(super) struct Places {
    most: u32,
    free: Arc<Semaphore>,
    /// On the public side.
    shares: Option<Shares>,
    full: Seldom,
}

/// Nobody takes all places: by address, or a host could hold every one of them at the price of a few bytes a minute.
struct Shares {
    most: u32,
    trusted: Vec<IpNet>,
    taken: Mutex<HashMap<String, u32>>,
    exceeded: Seldom,
}

/// This address has its share.
struct UsedUp;

/// One place, until it is dropped.
pub(super) struct Place {
    places: Arc<Places>,
    /// Whose share it is of, where it is of anybody's.
    whose: Option<String>,
    _place: OwnedSemaphorePermit,
}

impl Places {
    /// For who comes from outside.
    pub(super) fn public(config: &Config) -> Self {
        let (most, share) = (config.http.max_connections, config.overload.connections_per_address);
        let shares = Shares {
            // Whatever is set, somebody else finds a place.
            most: share.min(most / 2).max(1),
            trusted: config.http.trusted_proxies.clone(),
            taken: Mutex::default(),
            exceeded: Seldom::default(),
        };
        Self { shares: Some(shares), ..Self::of(most) }
    }

    /// For those who belong to us.
    pub(super) fn internal() -> Self {
        Self::of(INTERNAL)
    }

    fn of(most: u32) -> Self {
        let free = Semaphore::new(usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS));
        Self { most, free: Arc::new(free), shares: None, full: Seldom::default() }
    }

    /// A place for a connection of `peer`'s, if there is one.
    pub(super) fn take(self: &Arc<Self>, peer: IpAddr) -> Option<Place> {
        let Ok(place) = self.free.clone().try_acquire_owned() else {
            telemetry::shed("connection");
            if self.full.is_due() {
                self.say_full();
            }
            return None;
        };
        let whose = match &self.shares {
            Some(shares) => shares.take(peer.to_canonical()).ok()?,
            None => None,
        };
        if self.shares.is_some() {
            telemetry::connections(true);
        }
        Some(Place { places: self.clone(), whose, _place: place })
    }

    fn say_full(&self) {
        let most = self.most;
        if self.shares.is_some() {
            tracing::warn!(
                most,
                "more connections than http.max_connections: who comes is told to come again (wxgate_shed_total)"
            );
        } else {
            tracing::warn!(
                most,
                "more connections than the internal side has places for: which service keeps so many open?"
            );
        }
    }

    /// Waits until every place is free.
    pub(super) async fn all_free(&self) {
        drop(self.free.acquire_many(self.most).await);
    }
}

impl Shares {
    /// Whose share it came out of: of nobody's, for a neighbour.
    fn take(&self, ip: IpAddr) -> Result<Option<String>, UsedUp> {
        if is_neighbour(ip, &self.trusted) {
            return Ok(None);
        }
        let whose = network(ip);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let share = taken.entry(whose.clone()).or_default();
        if *share < self.most {
            *share += 1;
            return Ok(Some(whose));
        }
        drop(taken);
        telemetry::shed("address_connection");
        if self.exceeded.is_due() {
            tracing::warn!(
                address = whose,
                most = self.most,
                "more connections from one address than overload.connections_per_address: if it is a proxy of yours, name it \
                 in http.trusted_proxies (wxgate_shed_total)"
            );
        }
        Err(UsedUp)
    }

    fn give_back(&self, whose: &str) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = taken.get_mut(whose) {
            *share -= 1;
            // Who has gone is forgotten.
            if *share == 0 {
                taken.remove(whose);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(shares) = &self.places.shares else { return };
        telemetry::connections(false);
        if let Some(whose) = &self.whose {
            shares.give_back(whose);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ten places, three of them for one address, and a proxy of ours.
    fn places() -> Arc<Places> {
        let shares = Shares {
            most: 3,
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            taken: Mutex::default(),
            exceeded: Seldom::default(),
        };
        Arc::new(Places { shares: Some(shares), ..Places::of(10) })
    }

    #[test]
    fn an_address_has_its_share_a_network_of_ipv6_is_one_address_and_neighbours_have_all() {
        for (same, most) in [
            (["203.0.113.9", "203.0.113.9", "::ffff:203.0.113.9"], 3),
            (["2001:db8::1", "2001:db8::2", "2001:db8::ffff:0:0:1"], 3),
            (["127.0.0.1", "127.9.9.9", "::1"], 10),
            (["10.0.0.1", "10.255.0.1", "::ffff:10.0.0.1"], 10),
        ] {
            let places = places();
            let taken: Vec<Place> =
                (0..30).filter_map(|n| places.take(same[n % 3].parse().unwrap())).collect();
            assert_eq!(taken.len(), most, "{same:?}");
            // Who is somebody else finds one as long as there is any.
            assert_eq!(places.take("198.51.100.7".parse().unwrap()).is_some(), most < 10, "{same:?}");
        }
    }

    proptest! {
        #[test]
        fn whoever_leaves_gives_the_place_back_and_is_forgotten(moves in prop::collection::vec((0_u8..6, any::<bool>()), 1..200)) {
            let (places, mut held) = (places(), Vec::<(u8, Place)>::new());
            for (host, comes) in moves {
                if comes {
                    let mine = held.iter().filter(|(whose, _)| *whose == host).count();
                    let place = places.take(IpAddr::from([203, 0, 113, host]));
                    prop_assert_eq!(place.is_some(), mine < 3 && held.len() < 10);
                    held.extend(place.map(|place| (host, place)));
                } else if let Some(at) = held.iter().position(|(whose, _)| *whose == host) {
                    held.swap_remove(at);
                }
            }
            drop(held);
            prop_assert_eq!(places.free.available_permits(), 10);
            prop_assert!(places.shares.as_ref().unwrap().taken.lock().unwrap().is_empty());
        }
    }
}
