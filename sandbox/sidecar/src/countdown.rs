use std::time::Duration;

use modbox_sandbox::Timestamp;

use crate::api::Deadline;

/// How long before the deadline the API is first asked whether it still holds, less up to [`JITTER`].
const ASK_BEFORE: Duration = Duration::from_secs(30);
const JITTER: Duration = Duration::from_secs(10);
/// Between questions that were not answered.
const RETRY: Duration = Duration::from_secs(2);
/// Between questions at least, however near the deadline.
const SHORTEST: Duration = Duration::from_millis(250);
/// Between an answer and the next question at least.
const SHORTEST_AFTER_ANSWER: Duration = Duration::from_secs(1);

/// How long a sidecar waits for its first answer that began with less time than this, or after its deadline: an extension
/// may have been granted while the task was started.
const FIRST_ANSWER: Duration = Duration::from_secs(2);

/// Decides when the sandbox ends and when to ask whether that still holds. Time is an argument.
///
/// Asked is from 30 to 20 s before the deadline on, the moment drawn from the sandbox's id so that sandboxes created
/// together do not ask together; a life that is shorter from the start asks at once. An answer is good for half of
/// the time that is left, since an extension may come after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countdown {
    expires_at: Option<Timestamp>,
    ask_at: Option<Timestamp>,
    /// It is not over before: the first question is open.
    not_before: Option<Timestamp>,
    jitter: Duration,
}

impl Countdown {
    pub fn new(expires_at: Option<Timestamp>, now: Timestamp, id: &str) -> Self {
        let jitter = jitter(id);
        let ask_at = expires_at.map(|at| match at.since(now) {
            left if left < ASK_BEFORE => now,
            _ => opening(at, jitter),
        });
        let begins_late = expires_at.is_some_and(|at| at.since(now) < FIRST_ANSWER);
        Self { expires_at, ask_at, not_before: begins_late.then(|| now + FIRST_ANSWER), jitter }
    }

    /// Has it go by what it knows: there is nobody to ask.
    pub(crate) fn ask_nobody(&mut self) {
        self.ask_at = None;
        self.not_before = None;
    }

    pub fn is_over(&self, now: Timestamp) -> bool {
        self.over_at().is_some_and(|at| at <= now)
    }

    fn over_at(&self) -> Option<Timestamp> {
        self.expires_at.map(|at| self.not_before.map_or(at, |not_before| at.max(not_before)))
    }

    /// Whether to ask now. Once it says so it says no until the question is answered or given up.
    pub fn ask(&mut self, now: Timestamp) -> bool {
        let due = self.ask_at.is_some_and(|at| at <= now);
        if due {
            self.ask_at = None;
        }
        due
    }

    /// Takes what came back: a deadline holds from now on, in the past too; nothing changes nothing.
    pub fn answered(&mut self, answer: Option<Deadline>, now: Timestamp) {
        self.not_before = None;
        match answer {
            Some(Deadline::At(at)) => {
                self.expires_at = Some(at);
                let open = opening(at, self.jitter);
                let again = now + (at.since(now) / 2).max(SHORTEST_AFTER_ANSWER);
                self.ask_at = Some(if now < open { open } else { again });
            }
            Some(Deadline::Never) => {
                self.expires_at = None;
                self.ask_at = None;
            }
            None => {
                let left = self.expires_at.map(|at| at.since(now) / 2);
                self.ask_at = left.map(|half| now + half.clamp(SHORTEST, RETRY));
            }
        }
    }

    /// How long there is nothing to do, unless the clock is set.
    pub fn idle(&self, now: Timestamp) -> Duration {
        let moments = [self.over_at(), self.ask_at];
        moments.into_iter().flatten().map(|at| at.since(now)).min().unwrap_or(Duration::MAX)
    }
}

fn opening(at: Timestamp, jitter: Duration) -> Timestamp {
    let before = i64::try_from((ASK_BEFORE - jitter).as_millis()).unwrap_or(0);
    Timestamp::from_millis(at.millis().saturating_sub(before))
}

/// FNV-1a over the id, so that the same sandbox always asks at the same moment.
fn jitter(id: &str) -> Duration {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    // The upper bits are the better mixed ones.
    Duration::from_millis((hash >> 16) % u64::try_from(JITTER.as_millis()).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// Asked for the first time, at the moment returned.
    fn asked(countdown: &mut Countdown) -> i64 {
        let moment = countdown.ask_at.unwrap();
        assert!(!countdown.ask(at(moment.millis() - 1)));
        assert!(countdown.ask(moment));
        moment.millis()
    }

    #[test]
    fn the_first_question_comes_30_to_20_seconds_before_and_is_spread() {
        let moments: Vec<i64> = (0..200)
            .map(|n| asked(&mut Countdown::new(Some(at(MINUTE)), at(0), &format!("sandbox-{n}"))))
            .collect();
        assert!(moments.iter().all(|moment| (30_000..40_000).contains(moment)));
        for bucket in 0..10 {
            let low = 30_000 + bucket * 1_000;
            assert!(moments.iter().any(|moment| (low..low + 1_000).contains(moment)), "{low}");
        }
    }

    #[test]
    fn the_same_sandbox_asks_at_the_same_moment() {
        let new = || Countdown::new(Some(at(MINUTE)), at(0), "a");
        assert_eq!(new(), new());
    }

    #[test]
    fn a_short_life_asks_at_once() {
        assert_eq!(asked(&mut Countdown::new(Some(at(5_000)), at(1_000), "a")), 1_000);
    }

    #[test]
    fn one_that_begins_after_its_deadline_asks_before_it_ends() {
        let new = || Countdown::new(Some(at(5_000)), at(6_000), "a");
        let mut countdown = new();
        assert!(!countdown.is_over(at(6_000)) && countdown.ask(at(6_000)));
        assert_eq!(countdown.idle(at(6_000)), FIRST_ANSWER);
        assert!(countdown.is_over(at(8_000)), "it waits for no answer that does not come");
        countdown.answered(Some(Deadline::At(at(MINUTE))), at(6_500));
        assert!(!countdown.is_over(at(8_000)));
        countdown = new();
        countdown.answered(None, at(6_100));
        assert!(countdown.is_over(at(6_100)));
    }

    #[test]
    fn only_one_question_is_open_at_a_time() {
        let mut countdown = Countdown::new(Some(at(5_000)), at(0), "a");
        assert!(countdown.ask(at(0)));
        assert!(!countdown.ask(at(4_000)));
    }

    #[test]
    fn without_an_answer_it_asks_every_two_seconds_and_ends_on_time() {
        let mut countdown = Countdown::new(Some(at(20_000)), at(0), "a");
        assert!(countdown.ask(at(0)));
        countdown.answered(None, at(3_000));
        assert_eq!(asked(&mut countdown), 5_000);
        assert!(!countdown.is_over(at(19_999)));
        assert!(countdown.is_over(at(20_000)));
    }

    #[test]
    fn a_later_deadline_holds_and_is_asked_about_again() {
        let mut countdown = Countdown::new(Some(at(20_000)), at(0), "a");
        assert!(countdown.ask(at(0)));
        countdown.answered(Some(Deadline::At(at(10 * MINUTE))), at(100));
        assert!(!countdown.is_over(at(20_000)));
        assert!((570_000..580_000).contains(&asked(&mut countdown)));
        assert!(countdown.is_over(at(10 * MINUTE)));
    }

    #[test]
    fn an_unchanged_deadline_is_asked_about_again_after_half_of_what_is_left() {
        let mut countdown = Countdown::new(Some(at(20_000)), at(0), "a");
        assert!(countdown.ask(at(0)));
        countdown.answered(Some(Deadline::At(at(20_000))), at(0));
        assert_eq!(asked(&mut countdown), 10_000);
        countdown.answered(Some(Deadline::At(at(20_000))), at(19_500));
        assert_eq!(asked(&mut countdown), 20_500);
    }

    #[test]
    fn no_deadline_any_more_is_final() {
        let mut countdown = Countdown::new(Some(at(5_000)), at(0), "a");
        assert!(countdown.ask(at(0)));
        countdown.answered(Some(Deadline::Never), at(10));
        assert!(!countdown.is_over(at(i64::MAX)));
        assert!(!countdown.ask(at(i64::MAX)));
        assert_eq!(countdown.idle(at(10)), Duration::MAX);
    }

    #[test]
    fn a_deadline_in_the_past_is_over_at_once() {
        let mut countdown = Countdown::new(Some(at(5_000)), at(0), "a");
        countdown.answered(Some(Deadline::At(at(1))), at(10));
        assert!(countdown.is_over(at(10)));
    }

    #[test]
    fn the_end_follows_the_clock_when_it_is_set() {
        let countdown = Countdown::new(Some(at(MINUTE)), at(0), "a");
        assert!(countdown.is_over(at(2 * MINUTE)));
        assert!(!countdown.is_over(at(-MINUTE)));
        assert_eq!(countdown.idle(at(MINUTE)), Duration::ZERO);
    }
}
