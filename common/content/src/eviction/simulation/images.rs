//! The images of a field: what they are made of, what they share, and how they change from release to release.
//!
//! An image is an index, a manifest, a configuration and 3 to 15 layers: those of its base, which many images share;
//! dependencies, which most releases keep; its own, which every release replaces. Sizes are log-normal: of the
//! application layers 60 % are below 1 MiB and 1 % is above 150 MiB, as in the production traces of Anwar et al.,
//! "Improving Docker Registry Design based on Production Workload Analysis" (FAST 2018), where 65 % are below 1 MB.

use std::rc::Rc;

use super::random::{Random, Zipf};

pub(super) const MIB: f64 = 1_048_576.0;

/// The objects of an image in the order in which an engine asks for them. The first [`DOCUMENTS`] are no layers.
pub(super) type Image = Rc<[u32]>;

/// Index, manifest, configuration.
pub(super) const DOCUMENTS: usize = 3;

const BASES: usize = 25;

pub(super) struct Images {
    pub(super) random: Random,
    /// By key.
    pub(super) sizes: Vec<u64>,
    bases: Vec<Vec<u32>>,
    popular_base: Zipf,
}

/// A repository and the releases in it that somebody may still ask for.
pub(super) struct Repository {
    pub(super) current: Image,
    pub(super) previous: Image,
    base: usize,
    base_layers: Vec<u32>,
    dependencies: Vec<u32>,
    own_layers: usize,
    scale: f64,
}

impl Images {
    pub(super) fn new(seed: u64) -> Self {
        let mut images = Self {
            random: Random::new(seed),
            sizes: Vec::new(),
            bases: vec![Vec::new(); BASES],
            popular_base: Zipf::new(BASES, 1.0),
        };
        (0..BASES).for_each(|_| images.rebuild_a_base());
        for base in 0..BASES {
            images.rebuild(base);
        }
        images
    }

    /// A base gets new layers; repositories follow at one of their next releases.
    pub(super) fn rebuild_a_base(&mut self) {
        let base = self.random.below(BASES);
        self.rebuild(base);
    }

    fn rebuild(&mut self, base: usize) {
        let count = 1 + self.random.below(4);
        self.bases[base] = (0..count).map(|_| self.object(18.0 * MIB, 1.0, 2.0 * MIB, 100.0 * MIB)).collect();
    }

    /// A new repository. One in 16 has big images (models, toolchains): layers of hundreds of MiB to GiB.
    pub(super) fn repository(&mut self) -> Repository {
        let base = self.popular_base.draw(&mut self.random);
        let scale = if self.random.chance(1.0 / 16.0) { 20.0 } else { 1.0 };
        let dependencies = (0..=self.random.below(6)).map(|_| self.dependency(scale)).collect();
        let own_layers = 1 + self.random.below(5);
        let mut repository = Repository {
            current: Rc::new([]),
            previous: Rc::new([]),
            base,
            base_layers: self.bases[base].clone(),
            dependencies,
            own_layers,
            scale,
        };
        repository.current = self.build(&repository);
        repository.previous = Rc::clone(&repository.current);
        repository
    }

    /// A new release: every second one on the newest base, every eighth with new dependencies from some layer on.
    pub(super) fn release(&mut self, repository: &mut Repository) {
        if self.random.chance(0.5) {
            repository.base_layers.clone_from(&self.bases[repository.base]);
        }
        if self.random.chance(0.125) {
            let first = self.random.below(repository.dependencies.len());
            for layer in &mut repository.dependencies[first..] {
                *layer = self.dependency(repository.scale);
            }
        }
        let image = self.build(repository);
        repository.previous = std::mem::replace(&mut repository.current, image);
    }

    /// An image of a repository's present state with documents and application layers that no other image has.
    pub(super) fn build(&mut self, repository: &Repository) -> Image {
        let mut image = vec![self.document(1000.0), self.document(2000.0), self.document(4000.0)];
        image.extend(repository.base_layers.iter().chain(&repository.dependencies));
        let scale = repository.scale;
        image.extend((0..repository.own_layers).map(|_| self.object(0.6 * MIB * scale, 2.4, 0.0, f64::MAX)));
        image.into()
    }

    fn dependency(&mut self, scale: f64) -> u32 {
        self.object(12.0 * MIB * scale, 1.6, 0.0, f64::MAX)
    }

    fn document(&mut self, median: f64) -> u32 {
        self.object(median, 0.5, 0.0, 60_000.0)
    }

    fn object(&mut self, median: f64, sigma: f64, least: f64, most: f64) -> u32 {
        let size = self.random.log_normal(median, sigma).clamp(least.max(500.0), most.min(10_240.0 * MIB));
        self.sizes.push(size as u64);
        self.sizes.len() as u32 - 1
    }
}
