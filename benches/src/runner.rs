//! Runs the parts of loads one after another, and writes the report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use std::{env, fs};

use crate::figure::Figures;
use crate::loads::{self, LOADS, Load};
use crate::plan::Plan;
use crate::process;
use crate::{machine, report};

/// Runs every load, and writes to `benches/` unless the run is quick.
pub(crate) fn all(plan: &Plan) -> ExitCode {
    let folder = if plan.quick { aside() } else { machine::root().join("benches") };
    measure(LOADS, plan, folder)
}

/// Runs one load. Its figures are not those of a whole run, so they are written to another folder.
pub(crate) fn one(name: &str, plan: &Plan) -> ExitCode {
    let load = loads::named(name).expect("a load");
    measure(std::slice::from_ref(load), plan, aside())
}

fn aside() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| machine::root().join("target"), PathBuf::from);
    target.join("benches")
}

fn measure(loads: &[Load], plan: &Plan, folder: PathBuf) -> ExitCode {
    let start = Instant::now();
    let machine = machine::describe();
    let mut figures = Figures::default();
    let mut failures = Vec::new();
    fs::create_dir_all(folder.join("plots")).expect("a folder that can be made");
    let path = folder.join("RESULTS.md");
    for (done, load) in (1..).zip(loads) {
        for part in (load.parts)(plan) {
            eprintln!("{:>5.0} s  {}: {part}", start.elapsed().as_secs_f64(), load.name);
            let measured = process::measure(load, &part, plan);
            for failure in measured.failures {
                eprintln!("         {failure}");
                failures.push(format!("{}, {part}: {failure}", load.name));
            }
            figures.0.extend(measured.figures);
        }
        // After each load, so that its figures stay if the run ends early.
        let facts = report::Facts {
            loads,
            done,
            minutes: start.elapsed().as_secs_f64() / 60.0,
            plan: *plan,
            machine: &machine,
            failures: &failures,
        };
        fs::write(&path, report::write(&figures, &folder, &facts)).expect("a file that can be written");
    }
    eprintln!("{:>5.0} s  written to {}", start.elapsed().as_secs_f64(), path.display());
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
