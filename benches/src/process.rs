//! A part of a load runs in a process of its own. If the process dies or hangs while one contender works, the part runs
//! again without that contender, so that one failure does not cost the figures of all.

use std::collections::HashSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::contenders::UNIT;
use crate::figure::Figure;
use crate::loads::Load;
use crate::plan::Plan;

/// How many contenders of a part may be left out.
const MOST_LEFT_OUT: usize = 3;

/// The argument before the name of a contender that is left out.
pub(crate) const WITHOUT: &str = "--without";
/// The lines that are no figures start with these.
const WORKS: &str = "works";
const FAILED: &str = "failed";

static LEFT_OUT: OnceLock<Vec<String>> = OnceLock::new();

/// In the process of a part: leaves these contenders out.
pub(crate) fn leave_out(names: &[&str]) {
    let _ = LEFT_OUT.set(names.iter().map(|&name| name.to_owned()).collect());
}

/// In the process of a part: whether this contender is measured.
pub(crate) fn takes_part(name: &str) -> bool {
    LEFT_OUT.get().is_none_or(|names| names.iter().all(|one| one != name))
}

/// In the process of a part: from now on this contender works. If the process dies, it is the one that failed.
pub(crate) fn works(name: &str) {
    println!("{WORKS}\t{name}");
}

/// In the process of a part: no contender works any more.
pub(crate) fn nobody_works() {
    println!("{WORKS}\t");
}

/// In the process of a part: there is no figure of this contender, but the part goes on.
pub(crate) fn failed(name: &str, why: &str) {
    println!("{FAILED}\t{name}\t{why}");
}

/// The figures of a part, and a line for each failure.
#[derive(Debug, Default)]
pub(crate) struct Measured {
    pub(crate) figures: Vec<Figure>,
    pub(crate) failures: Vec<String>,
}

pub(crate) fn measure(load: &Load, part: &str, plan: &Plan) -> Measured {
    attempts(|without| {
        let mut command = Command::new(env::current_exe().expect("this program"));
        command.args(["--part", load.name, part]);
        if plan.quick {
            command.arg("--quick");
        }
        for name in without {
            command.args([WITHOUT, name]);
        }
        listen(command, load.silence())
    })
}

/// What a process told.
#[derive(Debug, Default)]
struct Told {
    figures: Vec<Figure>,
    failures: Vec<String>,
    /// The contender that worked last.
    works: String,
    /// Why the process ended before its work did.
    died: Option<String>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        if let Some(figure) = Figure::parse(line) {
            self.figures.push(figure);
            return;
        }
        match line.split('\t').collect::<Vec<_>>()[..] {
            [WORKS, name] => name.clone_into(&mut self.works),
            [FAILED, name, why] => self.failures.push(format!("{name}: {why}")),
            _ => eprintln!("         {line}"),
        }
    }
}

/// Tries with fewer contenders after each failure. A figure of a later try replaces an earlier one.
fn attempts(mut attempt: impl FnMut(&[String]) -> Told) -> Measured {
    let mut measured = Measured::default();
    let mut without = Vec::new();
    loop {
        let mut told = attempt(&without);
        let again: HashSet<_> = told.figures.iter().map(Figure::place).collect();
        let earlier: Vec<Figure> =
            measured.figures.iter().filter(|old| !again.contains(&old.place())).cloned().collect();
        told.figures.extend(earlier);
        measured.figures = told.figures;
        measured.failures.extend(told.failures);
        let Some(why) = told.died else { return measured };
        if told.works.is_empty() {
            measured.failures.push(why);
            return measured;
        }
        measured.failures.push(format!("{}: {why}", told.works));
        // Without the unit there are no ratios.
        if told.works == UNIT || without.contains(&told.works) || without.len() == MOST_LEFT_OUT {
            return measured;
        }
        eprintln!("         again without {}", told.works);
        without.push(told.works);
    }
}

fn listen(mut command: Command, silence: Duration) -> Told {
    let mut child = command.stdout(Stdio::piped()).spawn().expect("this program starts");
    let pipe = BufReader::new(child.stdout.take().expect("a pipe"));
    let (sender, lines) = mpsc::channel();
    thread::spawn(move || pipe.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut told = Told::default();
    loop {
        match lines.recv_timeout(silence) {
            Ok(line) => told.hear(&line),
            Err(RecvTimeoutError::Timeout) => {
                told.died = Some(format!("it hung, and was killed after {} s", silence.as_secs()));
                let _ = child.kill();
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let status = child.wait().expect("a child");
    if told.died.is_none() && !status.success() {
        told.died = Some(format!("the process died ({status})"));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figure(contender: &str, value: f64) -> Figure {
        Figure {
            load: "hits".to_owned(),
            case: "hot".to_owned(),
            contender: contender.to_owned(),
            metric: "ns".to_owned(),
            value,
        }
    }

    fn shell(script: &str, silence: Duration) -> Told {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        listen(command, silence)
    }

    #[test]
    fn a_contender_that_fails_is_left_out_of_the_next_attempt() {
        let mut seen = Vec::new();
        let measured = attempts(|without| {
            seen.push(without.to_vec());
            if without.is_empty() {
                return Told {
                    figures: vec![figure("a", 1.0), figure("b", 2.0)],
                    works: "b".to_owned(),
                    died: Some("it died".to_owned()),
                    ..Told::default()
                };
            }
            Told { figures: vec![figure("a", 3.0)], ..Told::default() }
        });
        assert_eq!(seen, [vec![], vec!["b".to_owned()]]);
        assert_eq!(measured.figures, [figure("a", 3.0), figure("b", 2.0)], "finished figures stay");
        assert_eq!(measured.failures, ["b: it died"]);
    }

    #[test]
    fn no_attempt_follows_if_the_unit_or_nobody_failed_or_too_many_did() {
        for (works, attempts_made) in [(UNIT, 1), ("", 1)] {
            let mut made = 0;
            let measured = attempts(|_| {
                made += 1;
                Told { works: works.to_owned(), died: Some("it died".to_owned()), ..Told::default() }
            });
            assert_eq!((made, measured.failures.len()), (attempts_made, 1));
        }
        let mut made = 0;
        attempts(|_| {
            made += 1;
            Told { works: made.to_string(), died: Some("it died".to_owned()), ..Told::default() }
        });
        assert_eq!(made, MOST_LEFT_OUT + 1);
    }

    #[test]
    fn a_process_tells_its_figures_and_who_failed() {
        let line = figure("a", 1.5).line();
        let told = shell(
            &format!("printf '%s\\n' '{line}'; printf 'failed\\tb\\tno\\nworks\\tc\\n'; exit 3"),
            Duration::from_secs(60),
        );
        assert_eq!(told.figures, [figure("a", 1.5)]);
        assert_eq!((&*told.failures, &*told.works), (&["b: no".to_owned()][..], "c"));
        assert!(told.died.expect("why").contains("exit status: 3"));
    }

    #[test]
    fn a_silent_process_is_killed() {
        let told = shell("printf 'works\\ta\\n'; exec sleep 600", Duration::from_millis(500));
        assert_eq!(told.works, "a");
        assert!(told.died.expect("why").contains("it hung"));
    }
}
