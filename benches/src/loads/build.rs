//! The cost of an annotation at build time: the time to rebuild a crate with a hundred functions, the bytes that each
//! adds to a program, and the number of packages that come along.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use crate::contenders::{HITBOX, OURS};
use crate::figure::Sink;
use crate::machine;
use crate::plan::Plan;
use crate::process;
use crate::stats::median;

pub(crate) const NAME: &str = "build";
const FUNCTIONS: usize = 100;
/// The other program of the first kind, without functions and without any cache.
const EMPTY: &str = "empty";

/// A way to write the functions.
struct Kind {
    name: &'static str,
    package: &'static str,
    /// Lines of `[dependencies]` in addition to the common ones. `{root}` and `{version:NAME}` are filled in.
    dependencies: &'static str,
    /// Code above all functions.
    head: &'static str,
    attribute: &'static str,
    error: &'static str,
    /// Code before all calls.
    before: &'static str,
    /// Code between a call and its `await`.
    call: &'static str,
    /// The packages in `dependencies`.
    brings: &'static [&'static str],
}

const KINDS: [Kind; 4] = [
    Kind {
        name: "no annotation",
        package: "plain",
        dependencies: "",
        head: "",
        attribute: "",
        error: "",
        before: "",
        call: "",
        brings: &[],
    },
    Kind {
        name: OURS,
        package: "ours",
        dependencies: "cacheback = { path = \"{root}\" }\n",
        head: "use cacheback::cacheback;\n",
        attribute: "#[cacheback(lifetime = 60, fetch_on_miss)]\n",
        error: "",
        before: "",
        call: "",
        brings: &["cacheback"],
    },
    Kind {
        name: "cached, #[cached] ttl",
        package: "memo",
        dependencies: "cached = { version = \"={version:cached}\", features = [\"async\"] }\n",
        head: "use cached::macros::cached;\n",
        attribute: "#[cached(ttl_secs = 60, key = \"(String, u64)\", convert = r#\"{ (name.to_string(), page) }\"#)]\n",
        error: "",
        before: "",
        call: "",
        brings: &["cached"],
    },
    Kind {
        name: HITBOX,
        package: "boxed",
        dependencies: "hitbox = \"={version:hitbox}\"\nhitbox-moka = \"={version:hitbox-moka}\"\n\
                       hitbox-fn = { version = \"={version:hitbox-fn}\", features = [\"derive\"] }\n",
        head: "use hitbox_fn::cached;\n",
        attribute: "#[cached]\n",
        error: "",
        before: "let cache = hitbox_fn::Cache::builder()\n        \
                 .backend(hitbox_moka::MokaBackend::builder().max_entries(10_000).build())\n        \
                 .policy(hitbox::policy::PolicyConfig::builder().ttl(std::time::Duration::from_secs(60)).build())\n        \
                 .build();\n    ",
        call: ".cache(&cache)",
        brings: &["hitbox", "hitbox-fn", "hitbox-moka"],
    },
];

/// The figures: seconds in three ways, and bytes.
pub(crate) const WHOLE: &str = "whole";
pub(crate) const CHANGED: &str = "changed";
pub(crate) const RELEASE: &str = "release";
pub(crate) const BYTES: &str = "bytes";
pub(crate) const CASE: &str = "100 functions";

pub(super) fn parts(_: &Plan) -> Vec<String> {
    vec![CASE.to_owned()]
}

pub(super) fn run(case: &str, plan: &Plan, sink: Sink) {
    let folder = env::temp_dir().join(format!("cacheback-build-{}", std::process::id()));
    generate(&folder);
    let mut kinds = that_build(&folder);
    for kind in &kinds {
        sink.put(case, kind.name, "packages", packages(&folder, kind) as f64);
    }
    for unit in [WHOLE, CHANGED, RELEASE] {
        eprintln!("         {unit}");
        let rounds = if plan.quick || unit == RELEASE { 1 } else { 3 };
        for (name, seconds) in rebuilds(&folder, unit, rounds, &mut kinds) {
            sink.put(case, name, unit, median(&seconds));
        }
    }
    let bytes = |program: &str| {
        fs::metadata(folder.join("target/release").join(program)).expect("a program").len() as f64
    };
    for kind in &kinds {
        sink.put(case, kind.name, BYTES, (bytes(kind.package) - bytes(EMPTY)) / FUNCTIONS as f64);
    }
    let _ = fs::remove_dir_all(&folder);
}

/// The kinds whose dependencies can be built.
fn that_build(folder: &Path) -> Vec<&'static Kind> {
    let mut kinds: Vec<&Kind> = KINDS.iter().collect();
    if build(folder, WHOLE, &kinds).is_err() {
        kinds.retain(|kind| {
            let built = build(folder, WHOLE, &[kind]);
            built.map_err(|why| process::failed(kind.name, &why)).is_ok()
        });
    }
    kinds
}

/// The seconds that each kind's crate takes to build, with its dependencies already built. A kind that does not build is
/// taken from the list.
fn rebuilds(
    folder: &Path,
    unit: &str,
    rounds: usize,
    kinds: &mut Vec<&'static Kind>,
) -> Vec<(&'static str, Vec<f64>)> {
    // First without functions: that builds the dependencies, and hardly anything else.
    for kind in &*kinds {
        write(main_file(folder, kind), &source(kind, 0));
    }
    build(folder, unit, kinds).expect("what was built before");
    let mut seconds: Vec<(&str, Vec<f64>)> = Vec::new();
    // The first build is not counted if it fills the incremental cache.
    let uncounted = usize::from(unit == CHANGED);
    for round in 0..uncounted + rounds {
        let mut failed = Vec::new();
        for turn in 0..kinds.len() {
            let kind = kinds[(round + turn) % kinds.len()];
            // Each time the text is another, without effect on the program.
            write(main_file(folder, kind), &(source(kind, FUNCTIONS) + &"\n".repeat(round)));
            match build(folder, unit, kinds) {
                Ok(_) if round < uncounted => {}
                Ok(took) => match seconds.iter_mut().find(|one| one.0 == kind.name) {
                    Some(one) => one.1.push(took),
                    None => seconds.push((kind.name, vec![took])),
                },
                Err(why) => {
                    process::failed(kind.name, &why);
                    write(main_file(folder, kind), &source(kind, 0));
                    failed.push(kind.name);
                }
            }
        }
        kinds.retain(|kind| !failed.contains(&kind.name));
    }
    // In the order of the kinds.
    seconds.sort_by_key(|one| KINDS.iter().position(|kind| kind.name == one.0));
    seconds
}

/// Builds what has changed in these kinds, and returns the seconds less those of a build in which nothing has. All are
/// named in every build, so that their dependencies have the same features, and are built once.
fn build(folder: &Path, unit: &str, kinds: &[&Kind]) -> Result<f64, String> {
    let once = || {
        let start = Instant::now();
        let status = cargo(folder)
            .env("CARGO_INCREMENTAL", if unit == CHANGED { "1" } else { "0" })
            .env("CARGO_TARGET_DIR", folder.join("target"))
            .args(["build", "--quiet"])
            .args(kinds.iter().flat_map(|kind| ["-p", kind.package]))
            .args((unit == RELEASE).then_some("--release"))
            .stdout(Stdio::null())
            .status()
            .expect("cargo runs");
        if status.success() { Ok(start.elapsed().as_secs_f64()) } else { Err("it does not build".to_owned()) }
    };
    Ok(once()? - once()?)
}

/// How many packages come along, including the ones in `dependencies`.
fn packages(folder: &Path, kind: &Kind) -> usize {
    let mut names: Vec<String> = Vec::new();
    for package in kind.brings {
        let output = cargo(folder)
            .args(["tree", "--quiet", "-p", package, "-e", "normal", "--prefix", "none", "--format", "{p}"])
            .output()
            .expect("cargo runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        names.extend(text.lines().map(|line| line.replace(" (*)", "")));
    }
    names.sort();
    names.dedup();
    names.len()
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(folder);
    cargo
}

fn generate(folder: &Path) {
    let root = machine::root();
    let members: Vec<String> = KINDS.iter().map(|kind| format!("{:?}", kind.package)).collect();
    write(
        folder.join("Cargo.toml"),
        &format!(
            "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[profile.dev.package.\"*\"]\ndebug = false\n\n\
             [profile.release]\nstrip = true\n",
            members.join(", ")
        ),
    );
    // The same versions as in all other loads.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    for kind in &KINDS {
        let mut dependencies = kind.dependencies.replace("{root}", &root.display().to_string());
        while let Some(start) = dependencies.find("{version:") {
            let end = start + dependencies[start..].find('}').expect("a closing brace");
            let version = machine::version(&dependencies[start + "{version:".len()..end]);
            dependencies.replace_range(start..=end, &version);
        }
        let manifest = format!(
            "[package]\nname = \"{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
             serde = {{ version = \"1\", features = [\"derive\"] }}\n\
             tokio = {{ version = \"1\", features = [\"rt\", \"time\"] }}\n{dependencies}",
            kind.package
        );
        write(folder.join(kind.package).join("Cargo.toml"), &manifest);
        write(main_file(folder, kind), &source(kind, 0));
    }
    let plain = &KINDS[0];
    write(folder.join(plain.package).join(format!("src/bin/{EMPTY}.rs")), &source(plain, 0));
}

fn main_file(folder: &Path, kind: &Kind) -> PathBuf {
    folder.join(kind.package).join("src/main.rs")
}

fn source(kind: &Kind, functions: usize) -> String {
    let mut text = format!(
        "#![allow(unused, reason = \"without functions\")]\n\n{}\n#[derive(Clone, Debug)]\npub struct MyError(pub String);\n{}\n\
         async fn ask(_: &str, _: u64) -> Result<String, MyError> {{\n    Ok(String::new())\n}}\n",
        kind.head, kind.error
    );
    let mut calls = String::new();
    for number in 0..functions {
        // hitbox-fn takes owned arguments.
        let name_type = if kind.name == HITBOX { "String" } else { "&str" };
        let lend = if kind.name == HITBOX { "&" } else { "" };
        let _ = write!(
            text,
            "\n{}pub async fn lookup_{number}(name: {name_type}, page: u64) -> Result<Vec<String>, MyError> {{\n    \
             let first = ask({lend}name, page).await?;\n    let second = ask(&first, page + {number}).await?;\n    \
             Ok(vec![first, second])\n}}\n",
            kind.attribute
        );
        let owned = if kind.name == HITBOX { ".to_owned()" } else { "" };
        let _ = writeln!(calls, "    let _ = lookup_{number}(\"name\"{owned}, 1){}.await;", kind.call);
    }
    // The functions are called, or the compiler would generate no code for them.
    let _ = write!(
        text,
        "\nasync fn all() {{\n    {}{calls}}}\n\nfn main() {{\n    \
         tokio::runtime::Builder::new_current_thread().enable_time().build().expect(\"a runtime\").block_on(all());\n}}\n",
        kind.before
    );
    text
}

fn write(path: PathBuf, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder that can be made");
    fs::write(path, text).expect("a file that can be written");
}
