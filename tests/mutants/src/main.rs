//! Breaks one thing at a time in a copy of the library, and sees that the tests notice.
//!
//! All of `list` is built at once: each mutation is an `if` in the copy, and an environment variable says which one
//! is on. First, every test has to pass with none of them. Then each test that a mutation names is run with that mutation
//! on, and has to fail. The program ends with 1 if a test does not notice, and if a mutation no longer fits the source.
//!
//! `--list` prints what is broken and which tests have to notice, `--core` tries the mutations that matter most, `--fleet`
//! those that are noticed over a real server: by its tests, or by the chaos run, a minute each. Names try those mutations
//! alone.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

mod list;
mod run;
mod tree;
use list::{Mutation, all};
use run::{Binaries, Outcome, Target};
use tree::Tree;

/// A test that takes longer without a mutation hangs: they take a second or two.
const LIMIT: Duration = Duration::from_secs(120);
/// A test with a mutation hangs if it takes longer than this, and `TIMES` as long as without.
const LEAST_LIMIT: Duration = Duration::from_secs(10);
const TIMES: u32 = 5;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let chosen: Vec<&Mutation> = match &arguments[..] {
        [] => all().collect(),
        [list] if list == "--list" => {
            print_list();
            return ExitCode::SUCCESS;
        }
        [core] if core == "--core" => all().filter(|mutation| mutation.core).collect(),
        [fleet] if fleet == "--fleet" => all().filter(|mutation| needs_server(mutation)).collect(),
        names => all().filter(|mutation| names.iter().any(|name| name == mutation.name)).collect(),
    };
    if chosen.is_empty() {
        eprintln!("usage: cacheback-mutants [--list | --core | --fleet | NAME...]");
        return ExitCode::from(2);
    }
    // Not every machine has a server, and a run of the fleet takes a minute. Only `--fleet` and names ask for it.
    let servers_too =
        !matches!(&arguments[..], [] | [_] if arguments.first().is_none_or(|only| only == "--core"));
    let only_servers = matches!(&arguments[..], [only] if only == "--fleet");
    let is_tried = |target: Target| if target.needs_server() { servers_too } else { !only_servers };
    match try_all(&chosen, &is_tried) {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            eprintln!("{wrong}");
            ExitCode::FAILURE
        }
    }
}

fn needs_server(mutation: &Mutation) -> bool {
    mutation.killed_by.iter().any(|(target, _)| target.needs_server())
}

/// A line for each mutation, and one for each test that has to notice.
fn print_list() {
    let width = all().map(|mutation| mutation.name.len()).max().unwrap_or(0);
    for Mutation { name, breaks, core, killed_by, .. } in all() {
        println!("{name:width$}  {breaks}{}", if *core { " (core)" } else { "" });
        for (target, test) in *killed_by {
            println!("{:width$}      {target}: {test}", "");
        }
    }
    println!("{} mutations", all().count());
}

/// `Err` says whether the tests or the mutations are wrong, and how.
fn try_all(chosen: &[&Mutation], is_tried: &dyn Fn(Target) -> bool) -> Result<(), String> {
    let began = Instant::now();
    let mut tree = Tree::read()?;
    for mutation in all() {
        tree.mutate(mutation)?;
    }
    let target_dir = target_dir().ok_or("this program does not lie in a target directory")?;
    let copy = target_dir.join("mutants");
    tree.write(&copy)?;
    let tried = |mutation: &Mutation| mutation.killed_by.iter().filter(|(target, _)| is_tried(*target));
    let killers = || chosen.iter().flat_map(|mutation| tried(mutation));
    let binaries = Binaries::build(&copy, &target_dir, killers().map(|(target, _)| *target))?;
    println!("built in {} s", began.elapsed().as_secs());
    let run = |target, test, mutation, limit| {
        binaries.run(target, test, mutation, limit).map_err(|error| format!("`{test}`: {error}"))
    };
    let mut limits = BTreeMap::new();
    for (target, test) in killers() {
        if !binaries.has(*target, test) {
            return Err(format!("there is no test `{test}`"));
        }
        if limits.contains_key(test) {
            continue;
        }
        let began = Instant::now();
        let outcome = run(*target, test, None, LIMIT)?;
        if outcome != Outcome::Passed {
            return Err(format!("`{test}` {outcome} without any mutation"));
        }
        limits.insert(test, LEAST_LIMIT.max(began.elapsed() * TIMES));
    }
    let mut survivors = Vec::new();
    for mutation in chosen {
        println!("\n{}: {}", mutation.name, mutation.breaks);
        for (target, test) in tried(mutation) {
            let outcome = run(*target, test, Some(mutation.name), limits[test])?;
            println!("    {test} {outcome}");
            if outcome == Outcome::Passed {
                survivors.push(format!("`{test}` does not notice the mutation `{}`", mutation.name));
            }
        }
    }
    println!("\n{} mutations in {} s", chosen.len(), began.elapsed().as_secs());
    if survivors.is_empty() { Ok(()) } else { Err(survivors.join("\n")) }
}

/// The directory that this program was built in: it lies in `debug/` there.
fn target_dir() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.parent()?.to_owned())
}
