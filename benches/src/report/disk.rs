//! The section of the load `disk`.

use std::fmt::Write as _;
use std::path::Path;

use super::tables::{bars, shown};
use crate::contenders::OURS;
use crate::contenders::disk::{Case, PLAIN};
use crate::contenders::shared::ROOM;
use crate::figure::Figures;
use crate::loads::callers::{self, CALLERS, case};
use crate::loads::disk::{KEYS, NAME};
use crate::plot::number;

pub(super) fn section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## disk\n\nCaches that keep their values on a disk, `u64 -> struct` of some 1,050 bytes, {} of them, in files of \
         their own in one temporary folder. The kernel has all of it in its memory, so a read does not wait for the disk; a \
         write does if the cache asks for that. The callers are tasks on a multi-thread runtime with a thread for each core. \
         `calls a second` are those of all callers together, with the ratio of the time of a call to `{PLAIN}` in brackets. \
         Percentiles are those of single calls in us, and the median over the rounds. `CPU` is the time of this process, \
         its threads in the background among them, in us a call.\n\n{GUARANTEES}",
        number(KEYS as f64),
    );
    for kind in Case::ALL {
        let [one, many] = CALLERS.map(|callers| case(kind.name(), callers));
        let explained = match kind {
            Case::Read => format!(
                "The value is on the disk and not in the process: levels in the process have room for {} values, and all \
                 keys are read in turn. {OURS}: the annotated function. foyer: `get_or_fetch`.",
                number(ROOM as f64)
            ),
            Case::Write => format!(
                "A value takes the place of an older one. {OURS}: `set` of the entry. `cached`: `async_cache_set`. foyer: \
                 `insert`, which returns at once; `calls a second` include the time until all of it is written."
            ),
        };
        let _ = writeln!(
            text,
            "### {}\n\n{explained}\n\n| | 1 caller: calls a second | p50 | p99 | CPU | {} callers: calls a second | p50 | \
             p99 | CPU |\n|---{}|",
            kind.name(),
            CALLERS[1],
            "|---".repeat(8),
        );
        for name in figures.contenders(NAME, Some(&one)) {
            let cells = [&one, &many].map(|case| {
                let get = |metric| figures.get(NAME, case, name, metric).map_or_else(String::new, number);
                let rate = format!("{} ({})", get(callers::RATE), get(callers::RATIO));
                [rate, get(callers::P50), get(callers::P99), get(callers::OWN_CPU)].join(" | ")
            });
            let _ = writeln!(text, "| {} | {} |", shown(name), cells.join(" | "));
        }
        text.push('\n');
    }
    bars(
        text,
        figures,
        folder,
        "disk.svg",
        "a value that is on the disk and not in the process, 1 caller: median of a call",
        "us (logarithmic)",
        NAME,
        &case(Case::Read.name(), CALLERS[0]),
        callers::P50,
    );
}

/// What the figures pay for.
const GUARANTEES: &str = "\
What each does:

- **cacheback** (`shared::Sqlite`) keeps values in the process and in a file that several processes of the machine use at \
once: each learns of the changes of the others, and a key is fetched once for all of them. Reads have a thread, and writes \
another, which puts what has gathered into one transaction. A `set` has been appended to the file's log when it returns; \
the last seconds are lost with the power. What is read is checked: sum, key, and shape of the type. File and log are \
bounded.
- `cached` (redb) has the file alone, which one process opens. Operations run on threads for blocking work, writes one \
after another, and each has its value on the disk when it returns, unless `durable(false)` leaves that to a later `flush`. \
There is no bound.
- foyer (`HybridCache`, here with `WriteOnInsertion`) keeps values in the process and in a folder that one process opens. \
Writes are made later, in large blocks, and dropped if too many wait; the last ones are lost with the process. Values \
have a sum. The folder is bounded.
- By hand there is one connection to SQLite, behind a lock, with a log as ours has. It blocks the caller's thread.

";
