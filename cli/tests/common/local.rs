//! `windlass local` as a process, and commands against it.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// `windlass local` on free ports, ended with the test.
pub(crate) struct Local {
    child: Child,
    pub(crate) variables: BTreeMap<String, String>,
}

impl Local {
    pub(crate) fn start(state: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(["local", "--json", "--port", "0", "--alb-port", "0", "--speed", "10", "--state"])
            .arg(state)
            .env("WINDLASS_DEPLOY_BINARY", crate::common::deploy_binary())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut text = String::new();
        for line in lines {
            text.push_str(&line);
            if line == "}" {
                break;
            }
        }
        let told: Value = serde_json::from_str(&text).unwrap();
        let variables = serde_json::from_value(told["variables"].clone()).unwrap();
        Self { child, variables }
    }

    /// Exit code, stdout and stderr of a command, with its ways cleared of what changes.
    pub(crate) fn run(&self, args: &[&str], stdin: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_windlass"))
            .args(args)
            .env_clear()
            .envs(&self.variables)
            .env("NO_COLOR", "1")
            .env("WINDLASS_ACTOR", "ada")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        let end = child.wait_with_output().unwrap();
        let out = String::from_utf8(end.stdout).unwrap();
        let err = String::from_utf8(end.stderr).unwrap();
        let code = end.status.code().unwrap();
        format!("$ windlass {}\n{out}{err}(exit {code})\n", args.join(" "))
    }

    /// Ends it as a shell does, and gives its exit code.
    pub(crate) fn end(mut self) -> i32 {
        self.terminate();
        self.child.wait().unwrap().code().unwrap()
    }

    fn terminate(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }
}

/// A test that fails leaves nothing running either.
impl Drop for Local {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.terminate();
            let _ = self.child.wait();
        }
    }
}
