//! Instructions, by callgrind. This program runs itself under valgrind. Only the measured work is counted, because the
//! code before it differs from run to run: it fills a map whose hasher is seeded at random in each process. Work that
//! other threads do is not counted.
#![allow(unsafe_code, reason = "valgrind finds the function by its unmangled name")]

use std::env;
use std::process::Command;

/// Who takes longer under valgrind hangs.
const SECONDS: &str = "180";

/// The argument with which this program runs itself.
pub(crate) const UNDER_VALGRIND: &str = "--under-valgrind";

/// What a process with these arguments tells: the instructions of `measured`, and what it printed.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) instructions: u64,
    pub(crate) printed: String,
}

/// Runs this program with these arguments. The error says why nothing was counted.
pub(crate) fn run(arguments: &[&str]) -> Result<Counted, String> {
    let output = Command::new("timeout")
        .args([SECONDS, "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args(["--collect-atstart=no", "--toggle-collect=cacheback_benches_measured"])
        .arg(env::current_exe().expect("this program"))
        .arg(UNDER_VALGRIND)
        .args(arguments)
        .output()
        .map_err(|error| format!("`timeout` does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("valgrind is missing, or the program under it died ({})", output.status));
    }
    let instructions =
        collected(&String::from_utf8_lossy(&output.stderr)).ok_or("callgrind counted nothing")?;
    Ok(Counted { instructions, printed: String::from_utf8_lossy(&output.stdout).into_owned() })
}

fn collected(text: &str) -> Option<u64> {
    let line = text.lines().find(|line| line.contains("Collected :"))?;
    line.rsplit(' ').next()?.parse().ok().filter(|&count| count > 0)
}

/// Does the work that is counted.
pub(crate) fn measured(mut work: impl FnMut()) {
    cacheback_benches_measured(&mut work);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn cacheback_benches_measured(work: &mut dyn FnMut()) {
    work();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_number_at_the_end_of_its_line() {
        let text = "==7== Events    : Ir\n==7== Collected : 184000\n==7==\n";
        assert_eq!(collected(text), Some(184_000));
        assert_eq!(collected("==7== Collected : 0\n"), None, "nothing was measured");
        assert_eq!(collected("valgrind: not found\n"), None);
    }
}
