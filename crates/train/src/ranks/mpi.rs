//! Processes that mpirun or srun started.

use std::{fmt, panic};

use mpi::Threading;
use mpi::environment::Universe;
use mpi::point_to_point::send_receive_into;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Destination, Source};
use terminal::program::note;

use super::Communicator;

/// All processes that were started together.
pub struct World {
    _universe: Universe,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank(), self.size())
    }
}

impl World {
    /// Meets the others. From now on a panic here ends them too: they would wait for ever for what this process does not send.
    ///
    /// # Errors
    /// When there is no MPI to be had.
    pub fn join() -> Result<Self, &'static str> {
        let (universe, threading) =
            mpi::initialize_with_threading(Threading::Serialized).ok_or("MPI is at work in this process already")?;
        if threading < Threading::Serialized {
            return Err("the MPI library takes calls from the first thread of a process only");
        }
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            before(panic);
            give_up();
        }));
        Ok(Self { _universe: universe })
    }
}

/// Ends all processes, after this one has said why.
pub fn give_up() -> ! {
    let world = SimpleCommunicator::world();
    let (rank, size) = (world.rank(), world.size());
    note(format_args!(
        "error: rank {rank} of {size} failed, and with it the training; --resume goes on from the last checkpoint"
    ));
    world.abort(1)
}

impl Communicator for World {
    fn rank(&self) -> usize {
        SimpleCommunicator::world().rank() as usize
    }

    fn size(&self) -> usize {
        SimpleCommunicator::world().size() as usize
    }

    fn send(&self, to: usize, bytes: &[u8]) {
        SimpleCommunicator::world().process_at_rank(to as i32).send(bytes);
    }

    fn receive(&self, from: usize, bytes: &mut [u8]) {
        SimpleCommunicator::world().process_at_rank(from as i32).receive_into(bytes);
    }

    fn exchange(&self, to: usize, bytes: &[u8], from: usize, into: &mut [u8]) {
        let world = SimpleCommunicator::world();
        send_receive_into(bytes, &world.process_at_rank(to as i32), into, &world.process_at_rank(from as i32));
    }
}
