//! Which of the engine's containers the agent itself runs in, if it does. Pure.

use bollard::models::ContainerSummary;

/// The label by which Swarm marks the container of a task.
const TASK: &str = "com.docker.swarm.task.id";

/// How an agent may know its own container.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// The id of its task.
    pub(crate) task: Option<String>,
    /// The id of the container, by its mounts. Another engine may have made it.
    pub(crate) container: Option<String>,
}

impl Own {
    /// Whether that is the agent's own container.
    pub(crate) fn is(&self, container: &ContainerSummary) -> bool {
        let task = container.labels.as_ref().and_then(|labels| labels.get(TASK));
        let is_task = self.task.as_ref().is_some_and(|own| task == Some(own));
        is_task || (self.container.is_some() && self.container == container.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_its_task_or_by_its_id() {
        let own = |task: Option<&str>, container: Option<&str>| Own {
            task: task.map(str::to_owned),
            container: container.map(str::to_owned),
        };
        let listed = |id: &str, task: Option<&str>| ContainerSummary {
            id: Some(id.to_owned()),
            labels: task.map(|task| [(TASK.to_owned(), task.to_owned())].into()),
            ..ContainerSummary::default()
        };
        for (own, listed, is) in [
            (own(Some("t"), None), listed("c", Some("t")), true),
            (own(Some("t"), None), listed("c", Some("u")), false),
            (own(Some("t"), None), listed("c", None), false),
            (own(None, Some("c")), listed("c", None), true),
            (own(None, Some("c")), listed("d", Some("t")), false),
            (own(None, None), listed("c", None), false),
            (own(None, None), ContainerSummary::default(), false),
        ] {
            assert_eq!(own.is(&listed), is, "{own:?} {listed:?}");
        }
    }
}
