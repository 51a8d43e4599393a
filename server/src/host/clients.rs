//! The clients of a room in the order of their ids, in one piece of memory, so that parts of them can be packed side by
//! side.

use tickwire_shared::{ClientId, Protocol};

use super::client::Client;

/// A sorted list. Ids rise, so a newcomer is put at the end.
pub(super) struct Clients<P: Protocol>(Vec<(ClientId, Client<P>)>);

impl<P: Protocol> Default for Clients<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Protocol> Clients<P> {
    fn place(&self, id: ClientId) -> Result<usize, usize> {
        match self.0.last() {
            Some((last, _)) if *last < id => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&id, |(id, _)| *id),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn contains_key(&self, id: &ClientId) -> bool {
        self.place(*id).is_ok()
    }

    pub(super) fn get(&self, id: &ClientId) -> Option<&Client<P>> {
        self.place(*id).ok().map(|place| &self.0[place].1)
    }

    pub(super) fn get_mut(&mut self, id: &ClientId) -> Option<&mut Client<P>> {
        self.place(*id).ok().map(|place| &mut self.0[place].1)
    }

    pub(super) fn insert(&mut self, id: ClientId, client: Client<P>) {
        match self.place(id) {
            Ok(place) => self.0[place].1 = client,
            Err(place) => self.0.insert(place, (id, client)),
        }
    }

    pub(super) fn remove(&mut self, id: &ClientId) -> Option<Client<P>> {
        self.place(*id).ok().map(|place| self.0.remove(place).1)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &ClientId> {
        self.0.iter().map(|(id, _)| id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Client<P>> {
        self.0.iter().map(|(_, client)| client)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&ClientId, &Client<P>)> {
        self.0.iter().map(|(id, client)| (id, client))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&ClientId, &mut Client<P>)> {
        self.0.iter_mut().map(|(id, client)| (&*id, client))
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [(ClientId, Client<P>)] {
        &mut self.0
    }
}
