//! A training that several processes share ends with the bytes of a single one, however many there are. Here threads stand for
//! processes, and channels for MPI; `checks/mpi.sh` does the same with real processes.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use burn::tensor::Device;
use train::TrainError;
use train::mnist::config::Config;
use train::mnist::data;
use train::mnist::training::DigitTraining;
use train::ranks::{Communicator, Ranks};
use train::run::{Options, Resume, run};

use crate::support::{Place, RESULTS};

/// A thread among others, with a channel to and from each.
#[derive(Debug)]
struct Thread {
    rank: usize,
    to: Vec<Sender<Vec<u8>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
    /// Messages that it sends before it is killed.
    life: AtomicUsize,
}

impl Thread {
    /// So many; the last one is killed after `life` messages.
    fn team(size: usize, life: usize) -> Vec<Self> {
        let mut team: Vec<Self> = (0..size)
            .map(|rank| Self { rank, to: Vec::new(), from: Vec::new(), life: AtomicUsize::new(usize::MAX) })
            .collect();
        team[size - 1].life = AtomicUsize::new(life);
        for from in 0..size {
            for to in 0..size {
                let (sender, receiver) = channel();
                team[from].to.push(sender);
                team[to].from.push(Mutex::new(receiver));
            }
        }
        team
    }
}

impl Communicator for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        assert!(self.life.fetch_sub(1, Ordering::Relaxed) > 0, "killed");
        self.to[to].send(bytes.to_vec()).unwrap();
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        bytes.copy_from_slice(&self.from[from].lock().unwrap().recv().unwrap());
    }

    fn exchange(&self, to: usize, bytes: &[u8], from: usize, into: &mut [u8]) {
        self.send(to, bytes);
        self.receive(from, into);
    }
}

/// What rank 0 of a training in `out` comes to; `None` if a rank was killed.
fn train(place: &Place, config: &Config, out: &str, ranks: usize, life: usize) -> Option<Result<(), TrainError>> {
    let loaded = data::load(&place.path("data")).unwrap();
    let options = Options {
        out: Some(place.path(out)),
        force: false,
        resume: Resume::IfSame,
        log_interval: 1000,
        checkpoint_interval: Duration::ZERO,
        revision: None,
    };
    let learn = |thread: Option<&Thread>| {
        let training = DigitTraining::new(config, &loaded.data, &Device::flex()).shared(thread.map(|t| Ranks::new(t)));
        run(training, loaded.hashes.clone(), &options).map(drop)
    };
    if ranks == 0 {
        return Some(learn(None));
    }
    thread::scope(|scope| {
        let learners: Vec<_> = Thread::team(ranks, life)
            .into_iter()
            .map(|thread| scope.spawn(move || catch_unwind(AssertUnwindSafe(|| learn(Some(&thread)))).ok()))
            .collect();
        let results: Vec<_> = learners.into_iter().map(|learner| learner.join().unwrap()).collect();
        results.into_iter().collect::<Option<Vec<_>>>().map(|results| results.into_iter().collect())
    })
}

fn same(place: &Place, expected: &str, found: &str) {
    assert_eq!(place.names(found), RESULTS);
    for name in ["model.safetensors", "metrics.jsonl", "config.json"] {
        let read = |folder: &str| place.read(Path::new(folder).join(name).to_str().unwrap());
        assert!(read(expected) == read(found), "{name} in {found}");
    }
}

/// Batches of 40 have parts of two images; the last one of an epoch has three, and so fewer than five ranks.
#[test]
fn any_number_of_ranks_gives_the_same_bytes() {
    let place = Place::new(83, 31);
    let config = Config { batch_size: 40, epochs: 2, test_batch_size: 7, ..Config::article() };
    train(&place, &config, "alone", 0, 0).unwrap().unwrap();
    for ranks in [1, 2, 3, 4, 5] {
        let out = format!("ranks{ranks}");
        train(&place, &config, &out, ranks, usize::MAX).unwrap().unwrap();
        same(&place, "alone", &out);
    }
}

/// Its averages, distortions and smooth schedule too.
#[test]
fn so_does_the_modern_recipe() {
    let place = Place::new(50, 20);
    let config = Config { batch_size: 16, epochs: 3, ..Config::modern() };
    train(&place, &config, "alone", 0, 0).unwrap().unwrap();
    train(&place, &config, "shared", 3, usize::MAX).unwrap().unwrap();
    same(&place, "alone", "shared");
}

/// A killed rank ends the others, and any number of ranks goes on from the checkpoint.
#[test]
fn killed_and_resumed_with_another_number_of_ranks_it_ends_with_the_same_bytes() {
    let place = Place::new(60, 20);
    let config = Config { batch_size: 16, epochs: 4, ..Config::article() };
    train(&place, &config, "whole", 0, 0).unwrap().unwrap();
    for (ranks, life) in [(3, 90), (2, 70), (4, 150)] {
        assert!(train(&place, &config, "killed", ranks, life).is_none());
        assert!(place.names("killed").contains(&"checkpoint.safetensors".to_owned()));
    }
    train(&place, &config, "killed", 1, usize::MAX).unwrap().unwrap();
    same(&place, "whole", "killed");
}

#[test]
fn ranks_with_other_options_are_refused() {
    let place = Place::new(20, 10);
    let loaded = data::load(&place.path("data")).unwrap();
    let options = Options {
        out: None,
        force: false,
        resume: Resume::No,
        log_interval: 1000,
        checkpoint_interval: Duration::ZERO,
        revision: None,
    };
    let refused = thread::scope(|scope| {
        let learners: Vec<_> = Thread::team(2, usize::MAX)
            .into_iter()
            .map(|thread| {
                let (loaded, options) = (&loaded, &options);
                scope.spawn(move || {
                    let config = Config { seed: 1 + thread.rank as u64, epochs: 1, ..Config::article() };
                    let training =
                        DigitTraining::new(&config, &loaded.data, &Device::flex()).shared(Some(Ranks::new(&thread)));
                    catch_unwind(AssertUnwindSafe(|| run(training, loaded.hashes.clone(), options).map(drop)))
                })
            })
            .collect();
        learners.into_iter().nth(1).and_then(|learner| learner.join().unwrap().ok()).unwrap().unwrap_err().to_string()
    });
    assert!(refused.starts_with("rank 1 has other options or other data than rank 0"), "{refused}");
}

/// What a program says that cannot share.
#[test]
fn what_cannot_be_shared_is_said() {
    let place = Place::new(20, 10);
    let said = place.train_badly("--mpi --epochs 1 --out out");
    assert!(said.contains("cargo xtask train --mpi"), "{said}");
}
