//! Whose service an image's labels may speak for. Whoever may push to a repository writes them, so that
//! they must not reach another repository's service by its name, nor one that people made.
//!
//! 1. A service that is not there may be made, within the guard rails.
//! 2. One that is there must be Windlass's own, and run an image of this very repository. To adopt
//!    another one is a person's to say: by a spec, or by the tag on the service.

use super::{Planner, Stop};
use crate::deploy::report::Note;
use crate::names;
use crate::spec::{Origin, Wanted};

impl Planner<'_> {
    /// Refuses labels that name somebody else's service, before anything is noted of it.
    pub(super) fn labels_may(&mut self, wanted: &Wanted) -> Result<(), Stop> {
        let (key, repository) = (&self.facts.key, &wanted.spec.image.repository);
        let there = self.facts.service.known().filter(|service| service.status != "INACTIVE");
        let (Origin::Labels, Some(service)) = (&wanted.origin, there) else { return Ok(()) };
        let why = if service.tags.get(names::TAG_SERVICE) == Some(&key.to_string()) {
            let live = self.need(&self.facts.live_task_definition, "the live task definition")?;
            let home = self.settings.home();
            let is_of_it = |image: &str| home.before(image, repository).is_some();
            if live.is_some_and(|live| live.images().iter().any(|(_, image)| image.is_some_and(is_of_it))) {
                return Ok(());
            }
            "runs an image of another repository"
        } else {
            "Windlass did not make"
        };
        let reason = format!(
            "the labels of {repository} name {key}, which {why}; give `windlass.service` another name, or write a \
             spec and `windlass apply` it"
        );
        self.refuse(Note::LabelsRefused { reason })
    }
}
