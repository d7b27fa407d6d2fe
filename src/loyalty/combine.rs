//! One commit for the commands of many threads.
//!
//! A store on a disk or behind a network takes as long for one command as for fifty. While some threads
//! are at it, those that come later queue up; the first to finish hands its place to one of them, which
//! carries all that wait out together. Nobody waits for company: a thread that finds a place goes at once.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::command::Command;
use super::receipt::Submitted;
use super::refusal::Refusal;

/// So many threads are at the store at the same time, each for itself and those that waited.
///
/// One alone would leave the store idle while it decides; with many, threads change the same records more often and
/// must decide again, and fewer share a commit.
const PLACES: usize = 2;
/// So many commands go into one commit at most.
const COMMANDS: usize = 1000;

/// What a command came to.
pub(super) type Decided = Result<Submitted, Refusal>;

/// The queue before a store.
#[derive(Debug, Default)]
pub(super) struct Combiner {
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// How many places are taken.
    taken: usize,
    waiting: VecDeque<Waiting>,
}

/// A command whose thread sleeps.
#[derive(Debug)]
struct Waiting {
    command: Command,
    bell: Arc<Bell>,
}

#[derive(Debug, Default)]
struct Bell {
    word: Mutex<Option<Word>>,
    rung: Condvar,
}

/// What a thread that waited is told.
#[derive(Debug)]
enum Word {
    /// Its command was carried out, or refused.
    Decided(Decided),
    /// Whoever had its command failed.
    Alone,
    /// It is the turn of this thread: a place is taken for it.
    Lead,
}

/// What came of a command that was given to the queue.
pub(super) enum Outcome<E> {
    Decided(Decided),
    /// The store failed this thread.
    Failed(E),
    /// Another thread had the command and failed: whether it was carried out is learnt by trying it alone.
    Alone,
}

impl Combiner {
    /// Has a command carried out by `work`, together with others that wait, on this thread or on another one.
    ///
    /// `work` says what each of its commands came to, in their order.
    pub(super) fn run<E>(
        &self,
        command: &Command,
        work: impl FnOnce(&[Command]) -> Result<Vec<Decided>, E>,
    ) -> Outcome<E> {
        let mut queue = self.queue();
        if queue.taken < PLACES {
            queue.taken += 1;
            drop(queue);
            return self.lead(command, work);
        }
        let bell = Arc::new(Bell::default());
        queue.waiting.push_back(Waiting {
            command: command.clone(),
            bell: Arc::clone(&bell),
        });
        drop(queue);
        match bell.wait() {
            Word::Decided(decided) => Outcome::Decided(decided),
            Word::Alone => Outcome::Alone,
            Word::Lead => self.lead(command, work),
        }
    }

    /// Carries out a command and those that wait.
    fn lead<E>(
        &self,
        command: &Command,
        work: impl FnOnce(&[Command]) -> Result<Vec<Decided>, E>,
    ) -> Outcome<E> {
        let mut turn = Turn {
            combiner: self,
            bells: VecDeque::new(),
        };
        let mut commands = vec![command.clone()];
        {
            let waiting = &mut self.queue().waiting;
            let some = waiting.len().min(COMMANDS - 1);
            for Waiting { command, bell } in waiting.drain(..some) {
                commands.push(command);
                turn.bells.push_back(bell);
            }
        }
        let decided = match work(&commands) {
            Ok(decided) => decided,
            Err(error) => return Outcome::Failed(error),
        };
        let mut decided = decided.into_iter();
        let own = decided.next();
        for decided in decided {
            if let Some(bell) = turn.bells.pop_front() {
                bell.ring(Word::Decided(decided));
            }
        }
        own.map_or(Outcome::Alone, Outcome::Decided)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread's turn: a place, and the bells of the threads whose commands it has.
struct Turn<'a> {
    combiner: &'a Combiner,
    bells: VecDeque<Arc<Bell>>,
}

impl Drop for Turn<'_> {
    /// Gives the place to the next one; those who were told nothing, because the store failed or a rule
    /// in code panicked, try alone.
    fn drop(&mut self) {
        for bell in self.bells.drain(..) {
            bell.ring(Word::Alone);
        }
        let mut queue = self.combiner.queue();
        match queue.waiting.pop_front() {
            Some(next) => next.bell.ring(Word::Lead),
            None => queue.taken -= 1,
        }
    }
}

impl Bell {
    fn ring(&self, word: Word) {
        *self.word() = Some(word);
        self.rung.notify_one();
    }

    fn wait(&self) -> Word {
        let mut word = self.word();
        loop {
            match word.take() {
                Some(word) => return word,
                None => word = self.rung.wait(word).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn word(&self) -> MutexGuard<'_, Option<Word>> {
        self.word.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread::{scope, sleep};
    use std::time::Duration;

    use super::*;
    use crate::event::Timestamp;
    use crate::loyalty::{Earn, Points};

    fn command(number: usize) -> Command {
        let gift = Earn::points("ann", Points(number as i64));
        Command::new(format!("c{number}"), Timestamp::EPOCH, gift)
    }

    /// An answer by which the command is known again.
    fn answer(command: &Command) -> Decided {
        Err(Refusal::UnknownReference {
            reference: command.id.clone(),
        })
    }

    fn each_once(work: impl Fn(&[Command]) -> Result<Vec<Decided>, ()> + Sync) -> [usize; 3] {
        const THREADS: usize = 8;
        const EACH: usize = 25;
        let combiner = Combiner::default();
        let outcomes = [const { AtomicUsize::new(0) }; 3];
        scope(|scope| {
            for thread in 0..THREADS {
                let (combiner, work, outcomes) = (&combiner, &work, &outcomes);
                scope.spawn(move || {
                    for number in thread * EACH..(thread + 1) * EACH {
                        let command = command(number);
                        let run = || combiner.run(&command, |all| work(all));
                        let kind = match catch_unwind(AssertUnwindSafe(run)) {
                            Ok(Outcome::Decided(decided)) => {
                                assert_eq!(decided, answer(&command));
                                0
                            }
                            Ok(Outcome::Failed(())) | Err(_) => 1,
                            Ok(Outcome::Alone) => 2,
                        };
                        outcomes[kind].fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(combiner.queue().taken, 0);
        assert!(combiner.queue().waiting.is_empty());
        let outcomes = outcomes.map(AtomicUsize::into_inner);
        assert_eq!(outcomes.iter().sum::<usize>(), THREADS * EACH);
        outcomes
    }

    #[test]
    fn everybody_gets_the_answer_to_their_own_command() {
        let calls = AtomicUsize::new(0);
        let outcomes = each_once(|all| {
            calls.fetch_add(1, Ordering::Relaxed);
            sleep(Duration::from_millis(1));
            Ok(all.iter().map(answer).collect())
        });
        assert_eq!(outcomes, [200, 0, 0]);
        let calls = calls.into_inner();
        assert!(calls < 150, "{calls} commits for 200 commands of 8 threads");
    }

    #[test]
    fn nobody_waits_for_one_who_fails() {
        let unlucky = |all: &[Command]| all.iter().any(|c| c.id.as_str().ends_with('7'));
        let fails = each_once(|all| {
            sleep(Duration::from_millis(1));
            match unlucky(all) {
                true => Err(()),
                false => Ok(all.iter().map(answer).collect()),
            }
        });
        assert!(fails[1] > 0 && fails[2] > 0, "{fails:?}");
        let panics = each_once(|all| {
            sleep(Duration::from_millis(1));
            assert!(!unlucky(all), "a rule panicked");
            Ok(all.iter().map(answer).collect())
        });
        assert!(panics[1] > 0 && panics[2] > 0, "{panics:?}");
    }

    #[test]
    fn who_is_told_too_little_tries_alone() {
        let outcomes = each_once(|all| {
            sleep(Duration::from_millis(1));
            Ok(all.iter().take(1).map(answer).collect())
        });
        assert!(
            outcomes[0] > 0 && outcomes[1] == 0 && outcomes[2] > 0,
            "{outcomes:?}"
        );
    }
}
