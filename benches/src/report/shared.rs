//! The section of the load `shared`.

use std::fmt::Write as _;
use std::path::Path;

use super::tables::{bars, shown};
use crate::contenders::OURS;
use crate::contenders::shared::{Case, FRESH, PLAIN, ROOM};
use crate::figure::Figures;
use crate::loads::callers::{self, CALLERS, case};
use crate::loads::shared::{self, NAME};
use crate::plot::number;
use crate::server;

pub(super) fn section(text: &mut String, figures: &Figures, folder: &Path) {
    let _ = write!(
        text,
        "## shared\n\nCaches that share their values through a Redis server{}, `u64 -> struct` of some 1,050 bytes. The \
         server is the run's own, on the same machine over loopback, so a round trip costs far less than over a network. \
         All contenders of a part use it in turn, each with a database of its own. The callers are tasks on a multi-thread \
         runtime with a thread for each core. `calls a second` are those of all callers together, with the ratio of the \
         time of a call to `{PLAIN}` in brackets. Percentiles are those of single calls in us, and the median over the \
         rounds.\n\nThe server itself says what a call costs there (`INFO`). With one caller: the readings of its sockets, \
         of which each round trip is one; the commands, those inside of scripts and transactions among them; and the bytes \
         that it received and sent. With {} callers: the CPU time of this process and of the server, in us. All of it \
         includes what goes on besides the calls, such as the heartbeat of {OURS}, one command a second.\n\nBecause of this \
         load, {OURS} is built with the feature `redis` in all of them, and because of `disk` with `sqlite`. That costs a hit \
         nothing, and a miss some 2 % more instructions.\n\n{GUARANTEES}",
        server::version().map_or_else(String::new, |version| format!(" ({version})")),
        CALLERS[1],
    );
    for kind in Case::ALL {
        let [one, many] = CALLERS.map(|callers| case(kind.name(), callers));
        let names = figures.contenders(NAME, Some(&one));
        if names.is_empty() {
            continue;
        }
        let explained = match kind {
            Case::Local => "The value is in the process: 100 keys, read again and again. Only caches with a level in the \
                            process take part."
                .to_owned(),
            Case::Shared => format!(
                "The value is in the server and not in the process. Levels in the process have room for {} values, and more \
                 than ten times as many keys are read in turn. cachekit-rs has a new client for each slice.",
                number(ROOM as f64)
            ),
            Case::Refresh => format!(
                "The value is more than {} s old; from the call to the new value in the server. {OURS}: the call is answered \
                 with the stale value, and `refresh` joins the fetch that it has started. hitbox-fn: \
                 `StalePolicy::Revalidate`, whose caller waits. Of the others the value has expired, so this is a miss of a \
                 key that has been there: `cached` does not serve stale values, and nobody can wait for the refresh of \
                 cachekit-rs.",
                FRESH.as_secs()
            ),
            Case::Cold => "Every key is new: a look, a body that is ready at once, and the store.".to_owned(),
        };
        let _ = writeln!(
            text,
            "### {}\n\n{explained}\n\n| | 1 caller: calls a second | p50 | p99 | {} callers: calls a second | p50 | p99 | \
             round trips | commands | bytes received | bytes sent | CPU | server's CPU |\n|---{}|",
            kind.name(),
            CALLERS[1],
            "|---".repeat(12),
        );
        for name in names {
            let get = |case: &str, metric| figures.get(NAME, case, name, metric);
            let cell = |case: &str, metric| get(case, metric).map_or_else(String::new, number);
            let rate = |case: &str| match get(case, callers::RATIO) {
                Some(ratio) => format!("{} ({})", cell(case, callers::RATE), number(ratio)),
                None => cell(case, callers::RATE),
            };
            let mut cells = Vec::new();
            for case in [&one, &many] {
                cells.extend([rate(case), cell(case, callers::P50), cell(case, callers::P99)]);
            }
            cells.extend(
                [shared::TRIPS, shared::COMMANDS, shared::RECEIVED, shared::SENT]
                    .map(|one_of| cell(&one, one_of)),
            );
            cells.extend([callers::OWN_CPU, shared::CPU].map(|of_many| cell(&many, of_many)));
            let _ = writeln!(text, "| {} | {} |", shown(name), cells.join(" | "));
        }
        text.push('\n');
    }
    bars(
        text,
        figures,
        folder,
        "shared.svg",
        "a value that is in the server and not in the process, 1 caller: median of a call",
        "us (logarithmic)",
        NAME,
        &case(Case::Shared.name(), 1),
        callers::P50,
    );
}

/// What the commands pay for.
const GUARANTEES: &str = "\
What each does with its commands:

- **cacheback** keeps values in the process and in the server. A key is fetched once in the process and once in the \
fleet: a fetch begins with a lease and ends with a store that is refused if somebody has written meanwhile, each a script. \
A look is a script of up to five commands, which reads the age by the server's clock. Stale values are served. What is \
read is checked: sum, key, and shape of the type (84 bytes of a value). A call waits for the server for a limited time, \
and goes on without it.
- `cached` has the server alone, or with `client_side_caching` a copy in the process of which the server keeps track. \
There is no single flight, and there are no stale values. Without the server the call fails.
- hitbox-fn has the server alone, or another backend before it. There is no single flight unless a concurrency manager is \
set, and then in the process. Stale values are served or renewed, as the policy says. Without the server the function is \
called.
- cachekit-rs (`production`) has the server, and keeps in the process what it has fetched, and for 30 s at most what it \
has read there. A key is fetched once in the process and once in the fleet, by a lock of 5 s; a store is not refused if \
the lock has lapsed. Values in the process are served stale. Without the server the function is called, after retries.
- By hand there is none of this.

";
