//! Commands as a user meets them.

use std::{
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;

/// A Mine's home with a passphrase.
pub struct Cli {
    pub directory: tempfile::TempDir,
}

impl Cli {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("passphrase"), "right\n").unwrap();
        std::fs::write(directory.path().join("wrong"), "wrong\n").unwrap();
        Self { directory }
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.directory.path().join("home")
    }

    pub fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    fn output(&self, passphrase: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mine"))
            .args(arguments)
            .args(["--json", "--no-input"])
            .env_clear()
            .env("MINE_HOME", self.home())
            .env("MINE_PASSPHRASE_FILE", self.directory.path().join(passphrase))
            .output()
            .unwrap()
    }

    /// The exit code and the JSON document on stdout, which is the only thing there.
    pub fn with(&self, passphrase: &str, arguments: &[&str]) -> (i32, Value) {
        let output = self.output(passphrase, arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let document = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {text}{}", String::from_utf8_lossy(&output.stderr))
        });
        (output.status.code().unwrap(), document)
    }

    pub fn run(&self, arguments: &[&str]) -> (i32, Value) {
        self.with("passphrase", arguments)
    }

    pub fn good(&self, arguments: &[&str]) -> Value {
        let (code, document) = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}: {document}");
        assert_eq!(document["ok"], true);
        document["data"].clone()
    }
}

fn holds(directory: &Path, secret: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, secret);
        }
        let bytes = std::fs::read(&path).unwrap();
        bytes.windows(secret.len()).any(|window| window == secret)
    })
}

#[test]
fn a_mine_is_made_once_and_opens_with_its_passphrase_only() {
    let cli = Cli::new();
    let (code, answer) = cli.run(&["data", "list"]);
    assert_eq!((code, answer["error"]["code"].as_str()), (6, Some("NOT_INITIALISED")));
    let made = cli.good(&["init", "--rpc", "http://127.0.0.1:1"]);
    let again = cli.good(&["init"]);
    assert_eq!(made["address"], again["address"]);
    assert_eq!((&made["created"], &again["created"]), (&true.into(), &false.into()));
    for command in [&["data", "list"][..], &["init"], &["status"], &["run"]] {
        let (code, answer) = cli.with("wrong", command);
        assert_eq!(code, 4, "{command:?}: {answer}");
    }
}

#[test]
fn data_are_kept_encrypted_and_what_is_no_table_is_refused() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let file = cli.file("good.csv", b"name,age\nAlexandrina Victoria,81\n");
    let about = cli.good(&["data", "add", "people", &file]);
    assert_eq!((about["rows"].as_u64(), &about["columns"][1]), (Some(1), &"age".into()));
    assert!(!holds(&cli.home(), b"Alexandrina"), "nothing is in the clear on disk");

    let wide: Vec<u8> = vec![b','; 1_000_000];
    for (name, content) in [("empty", &b""[..]), ("header", b"a,b\n"), ("wide", &wide), ("binary", b"\xff\xfe\x00\n1")]
    {
        let (code, answer) = cli.run(&["data", "add", name, &cli.file(name, content)]);
        assert_eq!(code, 5, "{name}: {answer}");
        assert!(answer["error"]["where"].as_str().unwrap().ends_with(name));
    }
    let (code, _) = cli.run(&["data", "add", "people", &file]);
    assert_eq!(code, 5, "a name is not taken twice");
    let (code, _) = cli.run(&["data", "remove", "people"]);
    assert_eq!(code, 3, "nothing is removed without a yes");
    cli.good(&["data", "remove", "people", "--yes"]);
    assert_eq!(cli.good(&["data", "list"]), serde_json::json!([]));
    let (code, _) = cli.run(&["data", "remove", "people", "--yes"]);
    assert_eq!(code, 6);
}

#[test]
fn a_file_without_header_needs_names() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let file = cli.file("flowers.data", b"6.6,3.8,kind-0\n5.5,3.0,kind-1\n6.1,3.9,kind-2\n");
    let (code, answer) = cli.run(&["data", "add", "flowers", &file]);
    assert_eq!((code, answer["error"]["code"].as_str()), (5, Some("DATA_NOT_A_TABLE")));
    assert!(answer["error"]["message"].as_str().unwrap().contains("looks like data (`6.6,3.8,kind-0`)"), "{answer}");
    assert!(answer["error"]["help"].as_str().unwrap().contains("--columns"), "{answer}");
    let named = cli.good(&["data", "add", "named", &file, "--columns", "length,width,kind"]);
    assert_eq!((&named["rows"], &named["columns"]), (&3.into(), &serde_json::json!(["length", "width", "kind"])));
    let counted = cli.good(&["data", "add", "counted", &file, "--no-header"]);
    assert_eq!(counted["columns"], serde_json::json!(["column1", "column2", "column3"]));
    let (code, answer) = cli.run(&["data", "add", "short", &file, "--columns", "length,width"]);
    assert_eq!(code, 5);
    assert!(answer["error"]["message"].as_str().unwrap().contains("line 1 has 3 cells"), "{answer}");
    let years = cli.file("years.csv", b"2019,2020\n1.5,2\n");
    assert_eq!(cli.run(&["data", "add", "years", &years]).0, 5);
    let with_header = cli.good(&["data", "add", "years", &years, "--header"]);
    assert_eq!((&with_header["rows"], &with_header["columns"]), (&1.into(), &serde_json::json!(["2019", "2020"])));
    assert_eq!(cli.run(&["data", "add", "both", &years, "--header", "--no-header"]).0, 2);
}

#[test]
fn a_limit_in_time_holds_for_a_pipe_without_writer() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let pipe = cli.file("pipe", b"");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (code, answer) = cli.run(&["--timeout", "60s", "data", "add", "x", &pipe]);
    assert_eq!((code, answer["error"]["code"].as_str()), (5, Some("FILE_REFUSED")), "{answer}");
    let (code, answer) = cli.run(&["--timeout", "100ms", "data", "list", "--passphrase-file", &pipe]);
    assert_eq!((code, answer["error"]["code"].as_str()), (8, Some("TIMED_OUT")), "{answer}");
}

#[test]
fn a_policy_is_set_rule_by_rule() {
    let cli = Cli::new();
    cli.good(&["init"]);
    cli.good(&["policy", "set", "--min-bounty", "1.5 ETH", "--cool-down", "1m"]);
    let policy = cli.good(&["policy", "set", "--algorithm", "proximal"]);
    assert_eq!(policy["cool_down_seconds"], 60);
    assert_eq!(policy["algorithms"], serde_json::json!(["proximal"]));
    let eth = "0x0000000000000000000000000000000000000000";
    assert_eq!(policy["min_bounty"][eth], "1500000000000000000");
    assert_eq!(policy["max_stake"], "1000000000000000");
    let policy = cli.good(&["policy", "set", "--max-stake", "0.5", "--max-at-stake", "2 ETH"]);
    assert_eq!(policy["max_stake"], "500000000000000000");
    assert_eq!(policy["max_at_stake"], "2000000000000000000");
    assert_eq!(cli.run(&["policy", "set", "--max-stake", "5 DATA"]).0, 2);
    let policy = cli.good(&["policy", "set", "--any-bounty"]);
    assert_eq!(policy["min_bounty"], serde_json::json!({}));
    for bad in ["1.5", "ETH", "x ETH", "-1 ETH"] {
        let (code, _) = cli.run(&["policy", "set", &format!("--min-bounty={bad}")]);
        assert_eq!(code, 2, "{bad}");
    }
    assert_eq!(cli.good(&["policy", "show"]), policy);
}

#[test]
fn a_policy_is_chosen_when_a_mine_is_made() {
    for (name, epsilon, clear, backbone) in [
        ("careful", Some(3.0), "refuse", "refuse"),
        ("balanced", None, "refuse", "with-budget"),
        ("open", None, "allow", "allow"),
    ] {
        let cli = Cli::new();
        // A Sonar that does not answer is no obstacle.
        let made = cli.good(&["init", "--policy", name, "--sonar", "http://127.0.0.1:1"]);
        assert_eq!((&made["policy"], &made["campaigns"]), (&name.into(), &Value::Null));
        let policy = cli.good(&["policy", "show"]);
        assert_eq!(policy["privacy"]["epsilon"].as_f64(), epsilon);
        assert_eq!((&policy["clear"], &policy["backbone"]), (&clear.into(), &backbone.into()));
        assert_eq!(policy["terms"]["least_stake_share"], 100_000);
        // A policy that exists is kept.
        let (_, again) = cli.run(&["init", "--policy", "open"]);
        assert_eq!(again["data"]["policy"], Value::Null);
        assert!(again["warnings"][0].as_str().unwrap().contains("already has a policy"), "{again}");
        assert_eq!(cli.good(&["policy", "show"]), policy);
    }
    let cli = Cli::new();
    assert_eq!(cli.good(&["init"])["policy"], "balanced", "without a terminal");
    assert_eq!(cli.run(&["init", "--policy", "strict"]).0, 2);
}

#[test]
fn limits_of_the_terms_and_tokens_are_set() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let token = "0x00000000000000000000000000000000000000da";
    let policy = cli.good(&[
        "policy",
        "set",
        "--token",
        token,
        "--least-stake-share",
        "0.29",
        "--least-token-stake",
        "0.5 ETH",
        "--shortest-evaluation",
        "0s",
        "--longest-audit",
        "2h",
        "--most-unpaid",
        "7",
    ]);
    let terms = &policy["terms"];
    assert_eq!(policy["tokens"][0].as_str().unwrap().to_lowercase(), token);
    assert_eq!((&terms["least_stake_share"], &terms["most_unpaid"]), (&290_000.into(), &7.into()));
    assert_eq!(terms["least_token_stake"], "500000000000000000");
    assert_eq!((&terms["shortest_evaluation"], &terms["longest_audit"]), (&0.into(), &7_200.into()));
    assert_eq!(cli.good(&["policy", "set", "--no-token"])["tokens"], serde_json::json!([]));
    for bad in [["--least-stake-share", "1.5"], ["--token", "USD"], ["--shortest-audit", "soon"]] {
        assert_eq!(cli.run(&["policy", "set", bad[0], bad[1]]).0, 2, "{bad:?}");
    }
}

#[test]
fn what_is_not_a_file_is_refused_at_once() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let pipe = cli.directory.path().join("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    // Nobody ever writes to the pipe.
    for (path, what) in [(&pipe, "a pipe"), (&cli.directory.path().display().to_string(), "a directory")] {
        let (code, answer) = cli.run(&["data", "add", "x", path, "--timeout", "60s"]);
        assert_eq!((code, answer["error"]["code"].as_str()), (5, Some("FILE_REFUSED")), "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains(what), "{answer}");
    }
}

#[test]
fn a_mistyped_address_is_refused() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let good = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    let policy = cli.good(&["policy", "set", "--data-scientist", good]);
    assert_eq!(policy["data_scientists"], serde_json::json!([good.to_lowercase()]));
    for bad in [good.replacen("6053", "6063", 1), good[2..].to_owned()] {
        for command in [&["policy", "set", "--data-scientist", &bad][..], &["withdraw", "--to", &bad]] {
            let (code, answer) = cli.run(command);
            assert_eq!((code, answer["error"]["code"].as_str()), (2, Some("USAGE")), "{command:?}");
        }
    }
    assert_eq!(cli.good(&["policy", "show"]), policy);
}

#[test]
fn a_privacy_budget_is_set_and_shown() {
    let cli = Cli::new();
    cli.good(&["init"]);
    let file = cli.file("good.csv", b"age,income,class\n31,1200.5,no\n44,-3,yes\n");
    cli.good(&["data", "add", "people", &file]);
    let privacy = cli.good(&["privacy"]);
    assert_eq!(privacy["budget"], serde_json::Value::Null);
    assert_eq!(privacy["data"][0]["left"], serde_json::Value::Null);
    let (code, _) = cli.run(&["policy", "set", "--uploads", "5"]);
    assert_eq!(code, 2, "there is nothing to change yet");
    cli.good(&["policy", "set", "--epsilon", "3"]);
    let policy = cli.good(&["policy", "set", "--uploads", "5"]);
    assert_eq!(policy["privacy"], serde_json::json!({"epsilon": 3.0, "delta": 1e-6, "uploads": 5}));
    let privacy = cli.good(&["privacy"]);
    let untouched = serde_json::json!({"data": "people", "private": 0, "exact": 0, "epsilon": 0.0, "left": 5});
    assert_eq!(privacy["data"], serde_json::json!([untouched]));
    for bad in ["--epsilon=0", "--epsilon=-1", "--delta=1", "--uploads=0", "--epsilon=nan"] {
        let (code, answer) = cli.run(&["policy", "set", bad]);
        assert_eq!(code, 2, "{bad}: {answer}");
    }
    assert_eq!(cli.good(&["policy", "show"]), policy);
    let policy = cli.good(&["policy", "set", "--exact-updates"]);
    assert_eq!(policy.get("privacy"), None);
}

#[test]
fn a_pause_is_shown_and_ended() {
    let cli = Cli::new();
    assert_eq!(cli.run(&["pause"]).0, 6, "before there is a Mine");
    cli.good(&["init"]);
    assert_eq!(cli.good(&["resume"])["was_paused"], false);
    let pause = cli.good(&["pause", "--for", "90m", "--after-job"]);
    let (since, until) = (pause["since"].as_u64().unwrap(), pause["until"].as_u64().unwrap());
    assert_eq!((until - since, &pause["after_job"]), (5_400, &true.into()));
    assert_eq!(cli.good(&["status"])["paused"], pause);
    assert_eq!(cli.good(&["resume"])["was_paused"], true);
    assert_eq!(cli.good(&["status"])["paused"], Value::Null);
    assert_eq!(cli.run(&["pause", "--for", "soon"]).0, 2);
}

#[test]
fn the_doctor_of_a_home_without_a_mine_says_what_to_do() {
    let cli = Cli::new();
    let (code, answer) = cli.run(&["doctor"]);
    assert_eq!((code, answer["error"]["code"].as_str(), &answer["ok"]), (9, Some("UNHEALTHY"), &false.into()));
    let checks = answer["data"]["checks"].as_array().unwrap();
    let check = |name: &str| checks.iter().find(|check| check["name"] == name).unwrap();
    assert!(check("keys")["fix"].as_str().unwrap().contains("mine init"), "{answer}");
    assert!(check("chain")["detail"].as_str().unwrap().contains("no chain is configured"), "{answer}");
    assert_eq!((&check("version")["ok"], &check("version")["fix"]), (&true.into(), &Value::Null));
    assert!(!cli.home().exists(), "it changes nothing");
}

#[test]
fn without_a_chain_a_command_says_so() {
    let cli = Cli::new();
    let nowhere = cli.file(
        "contracts.json",
        format!(
            r#"{{"chain_id":31337,"campaigns":"{0}","registry":"{0}","datacoin":"{0}","block":0}}"#,
            "0x0000000000000000000000000000000000000001"
        )
        .as_bytes(),
    );
    cli.good(&["init", "--rpc", "http://127.0.0.1:1", "--contracts", &nowhere]);
    let status = cli.good(&["status", "--timeout", "60s"]);
    assert_eq!((&status["balance"], &status["running"]), (&Value::Null, &false.into()));
    let (code, answer) = cli.run(&["earnings"]);
    assert_eq!(code, 7, "{answer}");
    assert_eq!(answer["error"]["retryable"], true);
}
