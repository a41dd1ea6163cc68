//! What is settled is published, where the stack says so and it is not done: after all else of a pass.

use super::Planner;
use crate::deploy::plan::Step;
use crate::deploy::publish;
use crate::deploy::report::Note;

impl Planner<'_> {
    /// The plan's last step, or why there is none.
    pub(super) fn publish(&mut self) {
        // Of a service whose spec could not be read nobody knows whether it is ours still.
        let (Some(settled), Some(_)) = (&self.settled, &self.repository) else { return };
        let parameter = publish::parameter_name(&self.facts.key);
        if let Some(text) = publish::due(settled, &self.marks, self.settings) {
            self.steps.push(Step::Publish { parameter, text });
        } else if let Some(reason) = publish::refused(settled, &self.marks, self.settings) {
            self.notes.push(Note::NotPublished { parameter, reason: reason.to_owned() });
        }
    }
}
