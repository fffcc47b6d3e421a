//! The README's commands, run as they are printed on what the demo left: what they print must be what it shows.
//!
//! In a block of code, a command is a line with `$ greenlight`, and the lines up to the next `$` are its output; `...` stands for
//! any lines. Runs of blanks count as one, for columns are as wide as the widest of all rows.

use std::fs;
use std::process::Command;

use crate::support::{Demo, root, text};

/// A command and the lines that it should print.
struct Shown {
    command: String,
    lines: Vec<String>,
}

/// The commands of the blocks that are no shell scripts.
fn shown(markdown: &str) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    // The language of the block; an empty one is that of a terminal.
    let mut block: Option<&str> = None;
    let mut in_command = false;
    for line in markdown.lines() {
        if let Some(language) = line.strip_prefix("```") {
            block = match block {
                Some(_) => None,
                None => Some(language),
            };
            in_command = false;
        } else if block == Some("")
            && let Some(command) = line.strip_prefix("$ ")
        {
            in_command = command.starts_with("greenlight ");
            if in_command {
                let (command, lines) = (command.to_owned(), Vec::new());
                shown.push(Shown { command, lines });
            }
        } else if in_command && let Some(last) = shown.last_mut() {
            last.lines.push(words(line));
        }
    }
    shown
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether the printed lines are the expected ones; `...` stands for any, none among them.
fn agrees(printed: &[String], expected: &[String]) -> bool {
    match expected.split_first() {
        None => printed.iter().all(String::is_empty),
        Some((first, rest)) if first == "..." => {
            (0..=printed.len()).any(|skipped| agrees(&printed[skipped..], rest))
        }
        Some((first, rest)) => match printed.split_first() {
            Some((line, more)) => line == first && agrees(more, rest),
            None => expected.iter().all(String::is_empty),
        },
    }
}

#[test]
fn what_the_readme_shows_is_what_its_commands_print() {
    let demo = Demo::new(&root().join("replay/catalogue"));
    demo.run_once();
    let shown = shown(&fs::read_to_string(root().join("README.md")).unwrap());
    assert!(shown.len() > 8, "{} commands are shown", shown.len());
    let binaries = std::path::Path::new(env!("CARGO_BIN_EXE_greenlight"));
    let path = format!(
        "{}:{}",
        binaries.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    for Shown { command, lines } in shown {
        let output = Command::new("sh")
            .args(["-c", &command])
            .env("PATH", &path)
            .env("GREENLIGHT_DIR", demo.path())
            .output()
            .unwrap();
        let printed: Vec<String> = text(&output.stdout).lines().map(words).collect();
        assert!(
            agrees(&printed, &lines),
            "$ {command}\nprints\n{}\n{}\nand the README shows\n{}",
            printed.join("\n"),
            text(&output.stderr),
            lines.join("\n")
        );
    }
}
