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
use crate::stats::median;

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
    for kind in &KINDS {
        sink.put(case, kind.name, "packages", packages(&folder, kind) as f64);
    }
    for unit in [WHOLE, CHANGED, RELEASE] {
        for (kind, seconds) in KINDS.iter().zip(rebuilds(&folder, unit, plan)) {
            sink.put(case, kind.name, unit, median(&seconds));
        }
    }
    let plain = &KINDS[0];
    build(&folder, RELEASE, plain, EMPTY);
    let bytes = |program: &str| {
        fs::metadata(folder.join("target/release").join(program)).expect("a program").len() as f64
    };
    for kind in &KINDS {
        sink.put(case, kind.name, BYTES, (bytes(kind.package) - bytes(EMPTY)) / FUNCTIONS as f64);
    }
    let _ = fs::remove_dir_all(&folder);
}

/// The seconds that each kind's crate takes to build again, with its dependencies already built.
fn rebuilds(folder: &Path, unit: &str, plan: &Plan) -> Vec<Vec<f64>> {
    eprintln!("         {unit}, dependencies first");
    for kind in &KINDS {
        build(folder, unit, kind, kind.package);
    }
    let mut seconds = vec![Vec::new(); KINDS.len()];
    for round in 0..if plan.quick || unit == RELEASE { 1 } else { 3 } {
        for turn in 0..KINDS.len() {
            let index = (round + turn) % KINDS.len();
            let source = folder.join(KINDS[index].package).join("src/main.rs");
            let text = fs::read_to_string(&source).expect("the source");
            fs::write(&source, format!("{text}\n")).expect("a file that can be written");
            let start = Instant::now();
            build(folder, unit, &KINDS[index], KINDS[index].package);
            seconds[index].push(start.elapsed().as_secs_f64());
        }
    }
    seconds
}

fn build(folder: &Path, unit: &str, kind: &Kind, program: &str) {
    let status = cargo(folder)
        .env("CARGO_INCREMENTAL", if unit == CHANGED { "1" } else { "0" })
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .args(["build", "--quiet", "-p", kind.package, "--bin", program])
        .args((unit == RELEASE).then_some("--release"))
        .stdout(Stdio::null())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "{} does not build", kind.package);
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
            "[workspace]\nresolver = \"3\"\nmembers = [{}]\n\n[profile.release]\nstrip = true\n",
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
        write(folder.join(kind.package).join("src/main.rs"), &source(kind, FUNCTIONS));
    }
    let plain = &KINDS[0];
    write(folder.join(plain.package).join(format!("src/bin/{EMPTY}.rs")), &source(plain, 0));
}

fn source(kind: &Kind, functions: usize) -> String {
    let mut text = format!(
        "{}\n#[derive(Clone, Debug)]\npub struct MyError(pub String);\n{}\n\
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
