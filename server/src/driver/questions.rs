//! Questions about a room on their way to it: left by the admin port, answered by the room's worker after a visit, when what was
//! due has been done. A room that nobody asks pays one look at a flag.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::host::inspecting::{Findings, Inquiry, NoFindings};

/// Questions that wait for one room.
const WAITING_MAX: usize = 16;

/// What a room answers.
pub(super) type Answer = Result<Findings, NoFindings>;

/// A question, and where its answer goes.
pub(super) struct Question {
    pub(super) inquiry: Inquiry,
    pub(super) reply: oneshot::Sender<Answer>,
}

/// Those about one room.
#[derive(Default)]
pub(super) struct Questions {
    waiting: Mutex<Vec<Question>>,
    /// Whether there are any, so that a visit need not lock.
    asked: AtomicBool,
    /// Answered so far.
    answers: AtomicU64,
    answer_micros: AtomicU64,
}

impl Questions {
    /// Leaves one; `None` when too many wait.
    pub(super) fn ask(&self, inquiry: Inquiry) -> Option<oneshot::Receiver<Answer>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever asked may have gone.
        waiting.retain(|question| !question.reply.is_closed());
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        let (reply, answer) = oneshot::channel();
        waiting.push(Question { inquiry, reply });
        self.asked.store(true, Ordering::SeqCst);
        Some(answer)
    }

    /// Whether somebody asked.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// The oldest one that somebody still waits for.
    pub(super) fn next(&self) -> Option<Question> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|question| !question.reply.is_closed());
        let next = if waiting.is_empty() { None } else { Some(waiting.remove(0)) };
        self.asked.store(!waiting.is_empty(), Ordering::SeqCst);
        next
    }

    /// One was answered, which took so long.
    pub(super) fn answered(&self, micros: u64) {
        self.answers.fetch_add(1, Ordering::Relaxed);
        self.answer_micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How many were, and how long that took together.
    pub(super) fn answers(&self) -> (u64, u64) {
        (self.answers.load(Ordering::Relaxed), self.answer_micros.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INQUIRY: Inquiry = Inquiry::Clients { after: None };

    #[test]
    fn so_many_wait_and_those_who_left_do_not_count() {
        let questions = Questions::default();
        assert!(!questions.is_asked());
        let mut receivers: Vec<_> = (0..WAITING_MAX).filter_map(|_| questions.ask(INQUIRY)).collect();
        assert_eq!(receivers.len(), WAITING_MAX);
        assert!(questions.ask(INQUIRY).is_none() && questions.is_asked());
        receivers.truncate(1);
        assert!(questions.ask(INQUIRY).is_some(), "the others are gone");
        assert!(questions.next().is_some(), "the first still waits");
        assert!(questions.next().is_none() && !questions.is_asked());
    }
}
