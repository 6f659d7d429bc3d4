//! A PostgreSQL server for the test process, from Debian's package: in a temporary directory, behind a Unix socket,
//! without fsync.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Runs in a shell, so that the server ends with the test process, however that ends: only the test process holds the
/// shell's standard input open.
const SCRIPT: &str = r#"
"$1/initdb" -D "$2/data" -U sonar -A trust -N >"$2/log" 2>&1 || exit 1
"$1/postgres" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=200 >>"$2/log" 2>&1 &
until "$1/pg_isready" -q -h "$2" -U sonar -d postgres; do kill -0 $! || exit 1; sleep 0.05; done
echo ready
read -r _
kill -QUIT $!
wait
rm -rf "$2"
"#;

struct Cluster {
    programs: PathBuf,
    directory: PathBuf,
    _shell: Child,
}

/// The address of an empty database. `None`, with a message, if PostgreSQL is not installed; where `CI` is set, that
/// fails the test.
pub fn database() -> Option<String> {
    static CLUSTER: OnceLock<Option<Cluster>> = OnceLock::new();
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let Some(cluster) = CLUSTER.get_or_init(start) else {
        assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed; install the package `postgresql`");
        eprintln!("skipped: PostgreSQL is not installed");
        return None;
    };
    let name = format!("test{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let created = Command::new(cluster.programs.join("createdb"))
        .args(["-U", "sonar", "-h"])
        .args([cluster.directory.as_os_str(), name.as_ref()])
        .status();
    assert!(created.unwrap().success(), "see {}/log", cluster.directory.display());
    let directory = cluster.directory.to_str().unwrap();
    Some(format!("postgres://sonar@localhost/{name}?host={directory}"))
}

fn start() -> Option<Cluster> {
    let programs = programs()?;
    let mut directory = std::env::temp_dir();
    directory.push(format!("sonar-postgres-{}", std::process::id()));
    std::fs::create_dir(&directory).unwrap();
    // PostgreSQL refuses to run as root.
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    let mut command = match root {
        true => {
            let mut command = Command::new("unshare");
            command.args(["-U", "--map-user=1000", "--map-group=1000", "sh"]);
            command
        }
        false => Command::new("sh"),
    };
    command.args(["-c", SCRIPT, "sh"]).args([&programs, &directory]);
    let mut shell = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    let output = shell.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut ready).unwrap();
    assert_eq!(ready.trim(), "ready", "see {}/log", directory.display());
    Some(Cluster { programs, directory, _shell: shell })
}

/// The directory of PostgreSQL's programs, of which Debian puts only some into the path.
fn programs() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let packaged = packaged.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = packaged.chain(std::env::split_paths(&path));
    places.find(|place| has_programs(place))
}

fn has_programs(place: &Path) -> bool {
    ["initdb", "postgres", "pg_isready", "createdb"].iter().all(|program| place.join(program).exists())
}
