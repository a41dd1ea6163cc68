//! What is wanted of the service of this pass: the first of parameter, tag and labels that
//! says anything ([`spec::resolve`]). One that says something unreadable is refused; the
//! next is not asked.

use std::collections::BTreeMap;

use super::report::Note;
use super::settings::Settings;
use crate::facts::{Fact, ImageContent, ServiceFacts};
use crate::image::{Policy, select};
use crate::spec::{self, Labelled, Unresolved};

pub use crate::spec::Wanted;

/// The spec that counts, or why there is none.
pub fn wanted(facts: &ServiceFacts, settings: &Settings) -> Result<Wanted, Box<Note>> {
    let newest = newest(facts);
    let labelled = newest.and_then(Fact::known).map(|image| Labelled {
        image,
        rails: &settings.guard_rails,
        default_cluster: &facts.key.cluster,
    });
    match spec::resolve(&facts.key, &facts.parameter, &facts.service, labelled) {
        Ok(Some(wanted)) => here(wanted, settings),
        Ok(None) => Err(Box::new(nobody(facts, newest))),
        Err(Unresolved::Unreadable(what)) => Err(Box::new(Note::Unreadable { what })),
        Err(Unresolved::Labels(refusal)) => {
            Err(Box::new(Note::LabelsRefused { reason: refusal.to_string() }))
        }
        Err(
            refused @ (Unresolved::Parameter { .. } | Unresolved::Misplaced { .. } | Unresolved::Tag { .. }),
        ) => Err(Box::new(Note::SpecRefused { reason: refused.to_string() })),
    }
}

/// The repository by the one name that it has here, if it is one that this stack can read.
fn here(mut wanted: Wanted, settings: &Settings) -> Result<Wanted, Box<Note>> {
    let repository = settings.home().call(&wanted.spec.image.repository);
    if let Some(registry) = repository.registry()
        && registry.region != settings.region
    {
        let (found, stack) = (registry.region, settings.region.clone());
        return Err(Box::new(Note::OtherRegion { repository, found, stack }));
    }
    wanted.spec.image.repository = repository;
    Ok(wanted)
}

/// Nobody wants anything of it; unless the labels that might could not be read.
fn nobody(facts: &ServiceFacts, newest: Option<&Fact<ImageContent>>) -> Note {
    if let Fact::Unreadable(what) = &facts.images {
        return Note::Unreadable { what: what.clone() };
    }
    match newest {
        Some(Fact::Unreadable(what)) => Note::Unreadable { what: what.clone() },
        Some(Fact::Known(_) | Fact::Absent | Fact::NotAsked) | None => {
            Note::NotTracked { key: facts.key.clone() }
        }
    }
}

/// The newest deployable image's content, where it was looked into: its labels say how the
/// application wants to be run now. Its policy then chooses the image, which may be
/// another one.
fn newest(facts: &ServiceFacts) -> Option<&Fact<ImageContent>> {
    let images = facts.images.known()?;
    let digest = select(&Policy::Newest, images, &BTreeMap::new()).chosen?.digest;
    facts.inspected.get(&digest)
}
