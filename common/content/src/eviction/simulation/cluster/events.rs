//! The events of a cluster, and what follows from each.

use std::rc::Rc;

use super::{Cluster, DAY, Event, Image, Repository};

impl Cluster {
    pub(super) fn happens(&mut self, now: f64, event: Event) {
        match event {
            Event::Release(repository) => self.release(now, repository),
            Event::Deploy(service, back) => {
                // Half of the services start their replicas at once, the others one after the other.
                let slow = self.images.random.chance(0.5);
                let span = if slow { self.images.random.exponential(2400.0) } else { 60.0 };
                for node in self.services[service].1.clone() {
                    let at = now + span * self.images.random.unit();
                    self.pull_for(at, service, node, back);
                }
            }
            Event::Rebuild => {
                self.images.rebuild_a_base();
                self.again(now, 0.8, Event::Rebuild);
            }
            Event::Move => {
                let service = self.images.random.below(self.services.len());
                let replica = self.images.random.below(self.services[service].1.len());
                self.moves(now, service, replica);
                self.again(now, self.scale.moves, Event::Move);
            }
            Event::Drain => {
                let node = self.images.random.below(self.scale.nodes);
                for service in 0..self.services.len() {
                    if let Some(replica) = self.services[service].1.iter().position(|other| *other == node) {
                        let at = now + 300.0 * self.images.random.unit();
                        self.moves(at, service, replica);
                    }
                }
                self.again(now, 0.7, Event::Drain);
            }
            Event::Burst => {
                let repository = self.images.random.below(self.scale.repositories);
                let image = self.images.build(&self.repositories[repository]);
                for _ in 0..2 + self.images.random.below(3 * self.scale.builders) {
                    let at = now + 60.0 * self.images.random.unit();
                    self.pull_by_builder(at, &image);
                }
                self.again(now, self.scale.bursts, Event::Burst);
            }
            Event::Build => {
                let tool = self.scale.repositories + self.popular_tool.draw(&mut self.images.random);
                let image = Rc::clone(&self.repositories[tool].current);
                self.pull_by_builder(now, &image);
                self.again(now, self.scale.builds, Event::Build);
            }
            Event::Scan => {
                for n in 0..self.scale.scanned {
                    let image = Rc::clone(&self.archive[self.images.random.below(self.archive.len())]);
                    self.plan(now + 60.0 * n as f64, Event::Pull(self.scale.nodes + self.scale.builders, image));
                }
                self.plan(now + DAY, Event::Scan);
            }
            Event::Prune => self.prune(now),
            Event::Pull(node, image) => self.pull(now, node, &image),
        }
    }

    fn release(&mut self, now: f64, repository: usize) {
        self.images.release(&mut self.repositories[repository]);
        self.again(now, DAY / self.period(repository), Event::Release(repository));
        for service in 0..self.services.len() {
            if self.services[service].0 == repository {
                let after = 60.0 + self.images.random.exponential(1800.0);
                self.plan(now + after, Event::Deploy(service, false));
                if self.images.random.chance(0.06) {
                    let after = 4000.0 + self.images.random.exponential(4.0 * 3600.0);
                    self.plan(now + after, Event::Deploy(service, true));
                }
            }
        }
    }

    fn moves(&mut self, at: f64, service: usize, replica: usize) {
        let node = self.images.random.below(self.scale.nodes);
        if !self.services[service].1.contains(&node) {
            self.services[service].1[replica] = node;
            self.pull_for(at, service, node, false);
        }
    }

    fn pull_for(&mut self, at: f64, service: usize, node: usize, back: bool) {
        let Repository { current, previous, .. } = &self.repositories[self.services[service].0];
        let image = Rc::clone(if back { previous } else { current });
        self.plan(at, Event::Pull(node, image));
    }

    fn pull_by_builder(&mut self, at: f64, image: &Image) {
        let node = self.scale.nodes + self.images.random.below(self.scale.builders);
        self.plan(at, Event::Pull(node, Rc::clone(image)));
    }
}
