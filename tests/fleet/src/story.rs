//! The story of a broken promise, as one readable piece: the history of its key, and the faults around it.

use std::fmt::Write as _;

use crate::events::{Event, Micros, Read, SECOND};
use crate::history::{History, moment};
use crate::rules::Violation;

/// So much before and after it is told.
const BEFORE: Micros = 12 * SECOND;
const AFTER: Micros = SECOND;
/// Answers beyond these are left out, from the middle.
const LINES: usize = 160;

/// Tells it with times in seconds since the beginning of the history.
pub(crate) fn tell(history: &History, violation: &Violation) -> String {
    let began = history.events.first().map(moment).unwrap_or_default();
    let seconds = |at: Micros| at.saturating_sub(began) as f64 / 1e6;
    let Violation { rule, key, at, what } = violation;
    let mut story = format!("{rule}\n{key}, at {:.3} s: {what}\n", seconds(*at));
    let mut lines: Vec<String> = Vec::new();
    // Of many equal answers to one process, the first is told, and how many there were.
    let mut same: Vec<(Read, usize, usize)> = Vec::new();
    for event in &history.events {
        let when = moment(event);
        if when + BEFORE < *at || when > *at + AFTER {
            continue;
        }
        let function = key.split(':').next().unwrap_or_default();
        let is_of_key = |of: &str| of == key || of == function;
        let line = match event {
            Event::Read(read) if read.key == *key => {
                let is_same = |known: &&mut (Read, usize, usize)| {
                    let known = &known.0;
                    (known.process, known.answer, &known.value) == (read.process, read.answer, &read.value)
                };
                if let Some((_, times, line)) = same.iter_mut().find(is_same) {
                    *times += 1;
                    let _ = write!(lines[*line], "{}", if *times == 2 { " (and again)" } else { "" });
                    continue;
                }
                same.retain(|(known, ..)| known.process != read.process);
                same.push((read.clone(), 1, lines.len()));
                let Read { process, end, answer, source, age, value, .. } = read;
                let value = value.as_ref().map(|value| (value.version, value.number));
                format!(
                    "{process} reads {answer:?} from {source}, (version, number) {value:?}, aged {} ms, within {} ms",
                    age.unwrap_or_default() / 1_000,
                    (end - when) / 1_000
                )
            }
            Event::WriteBegan { process, key: of, change, version, number, .. } if is_of_key(of) => {
                let write = history.writes_of(key).iter().find(|write| write.number == *number);
                let end = match write.and_then(|write| write.end) {
                    Some((end, outcome)) => format!("{outcome:?} at {:.3}", seconds(end)),
                    None => "never ended".to_owned(),
                };
                format!("{process} writes {change:?}, version {version}: {end}")
            }
            Event::Body { process, made, .. } if made.key == *key => {
                format!("{process} runs body {}, version {}", made.number, made.version)
            }
            Event::Started { process, .. } => format!("{process} starts"),
            Event::Linked { process, is_up, .. } => {
                format!("{process} is {}", if *is_up { "connected" } else { "not connected" })
            }
            Event::Killed { process, .. } => format!("{process} is killed"),
            Event::Outage { to, slot, reach, what, .. } => {
                let of = slot.map_or("all".to_owned(), |slot| format!("P{slot}"));
                format!("    {what}: {of}, {reach:?}, until {:.3}", seconds(*to))
            }
            Event::Loss { lost, what, .. } => format!("    {what}: {lost:?} lost"),
            Event::Stalled { to, slot, .. } => {
                format!("    {slot:?} does not run, until {:.3}", seconds(*to))
            }
            Event::Calm { .. } => "    no faults from here on".to_owned(),
            Event::LastWritten { .. } => "    nothing is written from here on".to_owned(),
            _ => continue,
        };
        lines.push(format!("{:>9.3}  {line}", seconds(when)));
    }
    let middle = lines.len().saturating_sub(LINES);
    if middle > 0 {
        lines.splice(LINES / 2..LINES / 2 + middle, [format!("  ... {middle} lines ...")]);
    }
    story.push_str(&lines.join("\n"));
    story
}
