//! Measures cacheback against other caches, and writes RESULTS.md.
//!
//! ```sh
//! cargo run --release -p cacheback-benches                  # everything, into benches/RESULTS.md
//! cargo run --release -p cacheback-benches -- --quick       # everything, briefly, into target/benches/
//! cargo run --release -p cacheback-benches -- memory        # one load, into target/benches/
//! ```

mod alloc;
mod callgrind;
mod case;
mod contenders;
mod figure;
mod goals;
mod loads;
mod machine;
mod measure;
mod plan;
mod plot;
mod process;
mod report;
mod run;
mod runner;
mod server;
mod simulation;
mod stats;
mod zipf;

use std::env;
use std::process::ExitCode;

use figure::Sink;
use loads::{LOADS, counts, instructions};
use plan::Plan;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let plan = Plan::new(arguments.iter().any(|argument| argument == "--quick"));
    let words: Vec<&str> = arguments.iter().map(String::as_str).filter(|&word| word != "--quick").collect();
    match words.as_slice() {
        // The program calls itself with these.
        ["--part", load, part, without @ ..] => {
            let load = loads::named(load).expect("a load");
            let names = without.chunks_exact(2).filter(|pair| pair[0] == process::WITHOUT);
            process::leave_out(&names.map(|pair| pair[1]).collect::<Vec<_>>());
            (load.run)(part, &plan, Sink { load: load.name });
            ExitCode::SUCCESS
        }
        [callgrind::UNDER_VALGRIND, rest @ ..] => {
            match rest {
                [instructions::NAME, part, work, reads] => instructions::under_valgrind(part, work, reads),
                [counts::NAME, case, name] => counts::under_valgrind(case, name),
                _ => panic!("nothing to count: {rest:?}"),
            }
            ExitCode::SUCCESS
        }
        [] => runner::all(&plan),
        [name] if loads::named(name).is_some() => runner::one(name, &plan),
        _ => {
            let names: Vec<&str> = LOADS.iter().map(|load| load.name).collect();
            eprintln!("cacheback-benches [--quick] [LOAD], where LOAD is one of: {}", names.join(", "));
            ExitCode::FAILURE
        }
    }
}
