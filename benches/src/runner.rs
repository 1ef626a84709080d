//! Runs the parts of loads, each in a process of its own, and writes the report.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use crate::figure::{Figure, Figures};
use crate::loads::{self, LOADS, Load};
use crate::plan::Plan;
use crate::{machine, report};

/// A part that takes longer is killed.
const LIMIT: Duration = Duration::from_secs(900);

/// Runs every load, and writes to `benches/` unless the run is quick.
pub(crate) fn all(plan: &Plan) -> ExitCode {
    let folder = if plan.quick { aside() } else { machine::root().join("benches") };
    measure(LOADS, plan, folder, "cargo run --release -p cacheback-benches")
}

/// Runs one load. Its figures are not those of a whole run, so they are written to another folder.
pub(crate) fn one(name: &str, plan: &Plan) -> ExitCode {
    let load = loads::named(name).expect("a load");
    let command = format!("cargo run --release -p cacheback-benches -- {name}");
    measure(std::slice::from_ref(load), plan, aside(), &command)
}

fn aside() -> PathBuf {
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| machine::root().join("target"), PathBuf::from);
    target.join("benches")
}

fn measure(loads: &[Load], plan: &Plan, folder: PathBuf, command: &str) -> ExitCode {
    let start = Instant::now();
    let mut figures = Figures::default();
    let mut failed = Vec::new();
    for load in loads {
        for part in (load.parts)(plan) {
            eprintln!("{:>5.0} s  {}: {part}", start.elapsed().as_secs_f64(), load.name);
            match run(load, &part, plan) {
                Some(new) => figures.0.extend(new),
                None => failed.push(format!("{}: {part}", load.name)),
            }
        }
    }
    let command = match (plan.quick, command.contains(" -- ")) {
        (false, _) => command.to_owned(),
        (true, false) => format!("{command} -- --quick"),
        (true, true) => format!("{command} --quick"),
    };
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    fs::create_dir_all(folder.join("plots")).expect("a folder that can be made");
    let text =
        report::write(&figures, &folder, &report::Facts { command, minutes, plan: *plan, failed: &failed });
    let path = folder.join("RESULTS.md");
    fs::write(&path, text).expect("a file that can be written");
    eprintln!("{:>5.0} s  written to {}", start.elapsed().as_secs_f64(), path.display());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The figures of a part, or `None` if its process failed.
fn run(load: &Load, part: &str, plan: &Plan) -> Option<Vec<Figure>> {
    let mut command = Command::new(env::current_exe().expect("this program"));
    command.args(["--part", load.name, part]).stdout(Stdio::piped());
    if plan.quick {
        command.arg("--quick");
    }
    let mut child = command.spawn().expect("this program starts");
    let mut pipe = child.stdout.take().expect("a pipe");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        if start.elapsed() > LIMIT {
            eprintln!("         killed after {} s", LIMIT.as_secs());
            child.kill().expect("a child");
        }
        thread::sleep(Duration::from_millis(20));
    };
    let text = reader.join().expect("a reader").ok()?;
    status.success().then(|| text.lines().filter_map(Figure::parse).collect())
}
