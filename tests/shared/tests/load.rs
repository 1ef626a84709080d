//! Many stale keys at once, two web processes and two workers, of which one is killed again and again. `sqlite_load` is the
//! same on a file. The long form prints how long that takes, and how soon a refreshed value is read.

mod support;

use std::thread::sleep;
use std::time::{Duration, Instant};

use support::workers::staffed;
use support::{Origin, Process, Tier, is_long, wait_until};

/// The jobs of a worker at once.
const JOBS: usize = 16;

/// With a time-out that a machine with much to do keeps.
const TIMEOUT: &str = "timeout=5000";

fn works(origin: &Origin, tier: &Tier, function: &str) -> Process {
    let [jobs, serves] = [format!("jobs={JOBS}"), format!("serves={function}")];
    let worker = Process::start(origin, &tier.url(), &[TIMEOUT, &jobs, &serves]);
    worker.logs("worker started");
    worker
}

/// The sum of a number in all lines of the queue.
fn sum(web: &mut Process, name: &str) -> u64 {
    let queues = web.ask("queues");
    let numbers = queues.split([' ', ',']).filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    numbers.map(|number| number.parse::<u64>().unwrap()).sum()
}

/// The numbers of an answer.
fn numbers(answer: &str) -> Vec<u64> {
    answer.split(' ').map(|word| word.parse().unwrap()).collect()
}

/// A sweep over this function's keys: how many were fresh, and how long the calls took. Each was answered with what is there,
/// fresh or stale: no reader waits for a fetch, or gets nothing.
fn swept(answer: &str, keys: u64) -> (u64, Vec<u64>) {
    let numbers = numbers(answer);
    let [fresh, stale, times @ ..] = &numbers[..] else { panic!("{answer}") };
    assert_eq!(fresh + stale, keys, "{answer}");
    (*fresh, times.to_vec())
}

/// A web process with so many values of `heavy`.
fn filled(origin: &Origin, tier: &Tier, keys: u64) -> Process {
    let mut web = Process::start(origin, &tier.url(), &[TIMEOUT]);
    assert_eq!(web.ask(&format!("fill heavy key {keys} 8")), keys.to_string());
    web
}

/// As long as the bodies run, readers are served what is stale: one that waited for them would wait for ever.
#[test]
fn no_reader_waits_for_a_worker() {
    const KEYS: u64 = 50;
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut webs = [filled(&origin, &tier, KEYS), Process::start(&origin, &tier.url(), &[TIMEOUT])];
    let sweep = format!("sweep heavy key {KEYS}");
    let fresh = |web: &mut Process| swept(&web.ask(&sweep), KEYS).0;
    wait_until("its values are not there", || numbers(&webs[1].ask(&sweep))[0] == KEYS);
    let _worker = works(&origin, &tier, "heavy");
    staffed(&mut webs[0], 1);
    (0..KEYS).for_each(|key| origin.hold(&format!("key{key}")));
    assert_eq!(webs[0].ask("stale heavy"), "ok");
    for web in &mut webs {
        wait_until("it has not heard of it", || fresh(web) == 0);
    }
    wait_until("its jobs are not begun", || origin.all_runs().len() >= JOBS);
    assert_eq!(webs.each_mut().map(fresh), [0, 0]);
    (0..KEYS).for_each(|key| origin.release(&format!("key{key}")));
    for web in &mut webs {
        wait_until("they are not refreshed", || fresh(web) == KEYS);
        assert!(web.ask("stats heavy").starts_with("fetches=0 "), "{}", web.ask("stats heavy"));
    }
}

/// Each key is refreshed, by a worker and once, but for those whose worker was killed. Web processes run no body, and the
/// queue is empty at the end.
#[test]
fn many_stale_keys_at_once_while_workers_are_killed() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let (keys, kills, pause) = if is_long() { (10_000, 20, 1_000) } else { (300, 2, 300) };
    let pause = Duration::from_millis(pause);
    let mut webs = [filled(&origin, &tier, keys), Process::start(&origin, &tier.url(), &[TIMEOUT])];
    let sweep = format!("sweep heavy key {keys}");
    let are_fresh = |web: &mut Process| numbers(&web.ask(&sweep))[0] == keys;
    for web in &mut webs {
        wait_until("its values are not there", || are_fresh(web));
    }
    let hits = swept(&webs[0].ask(&sweep), keys).1;
    let work = || works(&origin, &tier, "heavy");
    let mut workers = [work(), work()];
    staffed(&mut webs[0], 2);
    assert_eq!(webs[0].ask("stale heavy"), "ok");

    let (began, mut last_kill) = (Instant::now(), Instant::now());
    let mut killed = Vec::new();
    let mut slowest = [0; 3];
    let mut sent = webs.each_mut().map(|web| web.send(&sweep));
    let mut fresh = [0; 2];
    let mut took = None;
    while took.is_none() || killed.len() < kills {
        assert!(began.elapsed() < Duration::from_secs(300), "{fresh:?} {}", webs[0].ask("queues"));
        for (at, web) in webs.iter_mut().enumerate() {
            if sent[at].is_answered() {
                let (are_fresh, times) = swept(&sent[at].answer().words, keys);
                fresh[at] = are_fresh;
                slowest.iter_mut().zip(times).for_each(|(slowest, time)| *slowest = (*slowest).max(time));
                sent[at] = web.send(&sweep);
            }
        }
        if took.is_none() && fresh == [keys; 2] && origin.all_runs().len() as u64 == keys {
            took = Some(began.elapsed());
        }
        if killed.len() < kills && last_kill.elapsed() >= pause {
            let worker = &mut workers[killed.len() % 2];
            worker.kill();
            killed.push(worker.id());
            *worker = work();
            last_kill = Instant::now();
        }
        sleep(Duration::from_millis(100));
    }
    let runs = origin.all_runs();
    for (key, processes) in &runs {
        // The last one has brought its value.
        let (_, ended) = processes.split_last().unwrap();
        assert!(
            ended.iter().all(|process| killed.contains(process)),
            "{key}: {processes:?}, killed {killed:?}"
        );
    }
    let runs = runs.values().map(Vec::len).sum::<usize>() as u64;
    for web in &mut webs {
        assert!(web.ask("stats heavy").starts_with("fetches=0 "), "{}", web.ask("stats heavy"));
    }
    assert!(runs - keys <= (kills * JOBS) as u64, "{runs} runs of {keys} keys");
    let killed = killed.len();
    let waits = |web: &mut Process| sum(web, "length") + if is_long() { sum(web, "under_way") } else { 0 };
    // The last jobs of those that were killed are claimed, and are not needed any more.
    sleep(Duration::from_secs(if is_long() { 20 } else { 0 }));
    wait_until("the queue is not empty", || waits(&mut webs[0]) == 0);
    assert_eq!((sum(&mut webs[0], "failed"), sum(&mut webs[0], "dead")), (0, 0));
    println!(
        "{keys} keys in {took:?}, {runs} runs, {killed} workers killed; calls of a sweep in us (half, 99 %, all): \
         {slowest:?}, and of one in which all is fresh: {hits:?}"
    );
}

#[test]
fn a_refreshed_value_is_read() {
    let Some(tier) = Tier::start_with_queue() else { return };
    let origin = Origin::start();
    let mut web = Process::start(&origin, &tier.url(), &[TIMEOUT]);
    let _worker = works(&origin, &tier, "timed");
    staffed(&mut web, 1);
    let times = if is_long() { 500 } else { 10 };
    let visible = numbers(&web.ask(&format!("visible timed key {times}")));
    assert!(sum(&mut web, "done") >= times);
    println!("read so many us after it was found to be stale (half, 99 %, all): {visible:?}");
}
