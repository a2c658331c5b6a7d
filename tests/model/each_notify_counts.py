#!/usr/bin/env python3
"""Deletes the connection's wake-ups one by one and runs the model checker without each of them: it has to
fail every time. A wake-up that nothing misses isn't needed, or the model lacks the scenario that needs it.

    tests/model/each_notify_counts.py           # RPYC_MODEL_ROUNDS=100, as a rule
    tests/model/each_notify_counts.py TEXT      # only those in whose line the text is
    tests/model/each_notify_counts.py --check   # only that the tables below are about lines that there are

The wake-ups are found in the code: whatever line of dispatch/ calls one of WAKES. A copy is built once, in
which each of them is left out when a variable of the environment has its number.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
DISPATCH = "rpyc-core/src/dispatch/"

WAKES = re.compile(
    r"(?<!fn )\b(wake|wake_all|wake_one_of_several|notify\w*|on_unread|ring|unpark|pass_on_reading)\(.*\);"
)

# What else has to be missed: file and line.
OTHERS = [
    ("rpyc-core/src/dispatch/scheduler.rs", "task.waits_in = outer;"),
    ("rpyc-core/src/dispatch/scheduler.rs", "self.waiting_tasks -= usize::from(outer.is_none());"),
    (
        "rpyc-core/src/dispatch/scheduler/choosing.rs",
        "return own.or_else(|| waits.next()).map(|waiter| waiter.id);",
    ),
    ("rpyc-core/src/executor.rs", "INTERRUPTION.with(|now| now.set(Interruption::Happened));"),
]

# Wake-ups that the model can't miss, and why: the file, the line, and which of its kind in the file.
EXCEPTIONS = {
    ("rpyc-core/src/dispatch/watchdog.rs", "thread.unpark();", 1): "the model has another watchdog",
    (
        "rpyc-core/src/dispatch/closing.rs",
        "core.task_ends.notify();",
        2,
    ): "only makes sooner what a limit in time ends",
}

# So often everything is run with RPYC_MODEL_ROUNDS other schedules before nothing misses a wake-up: some are missed rarely.
TRIES = 30


def code_lines(source):
    """The lines of a file before its tests."""
    for number, line in enumerate(source.splitlines()):
        if line.startswith("#[cfg(") and "test" in line and "not(test" not in line:
            return
        yield number, line


def mutants():
    """(file, number of the line, line) of everything that is to be deleted; fails where a table is wrong."""
    found, stale = [], [*OTHERS, *EXCEPTIONS]
    seen = collections.Counter()
    for path in sorted((ROOT / "rpyc-core/src").rglob("*.rs")):
        name = path.relative_to(ROOT).as_posix()
        for number, line in code_lines(path.read_text()):
            here = (name, line.strip())
            seen[here] += 1
            numbered = (*here, seen[here])
            is_wake = name.startswith(DISPATCH) and WAKES.search(line) and not line.strip().startswith("//")
            stale = [other for other in stale if other not in (here, numbered)]
            if (is_wake and numbered not in EXCEPTIONS) or here in OTHERS:
                found.append((name, number, line.strip()))
    if stale:
        sys.exit("".join(f"no such line any more: {': '.join(map(str, line))}\n" for line in stale))
    return found


def build(work, chosen):
    """Builds a copy in which each can be left out; gives the test program."""
    tree = work / "tree"
    tree.mkdir(parents=True, exist_ok=True)
    for old in tree.iterdir():
        # What was built is kept: most of it is others' crates.
        if old.name != "target":
            shutil.rmtree(old) if old.is_dir() else old.unlink()
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE)
    for name in filter(None, tracked.stdout.decode().split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name, follow_symlinks=False)
    for index, (name, number, line) in enumerate(chosen):
        lines = (tree / name).read_text().split("\n")
        lines[number] = f"if !crate::sync::is_deleted({index}) {{ {line} }}"
        (tree / name).write_text("\n".join(lines))
    with (tree / "rpyc-core/src/sync.rs").open("a") as sync:
        sync.write(
            """
pub(crate) fn is_deleted(index: usize) -> bool {
    static DELETED: std::sync::LazyLock<Option<usize>> =
        std::sync::LazyLock::new(|| std::env::var("RPYC_DELETED").ok()?.parse().ok());
    *DELETED == Some(index)
}
"""
        )
    built = subprocess.run(
        ["cargo", "model", "--no-run"], cwd=tree, stderr=subprocess.PIPE, text=True
    )
    program = re.search(r"Executable .*\((.*)\)", built.stderr)
    if built.returncode or not program:
        sys.exit(built.stderr)
    return tree / program[1]


def is_missed(program, index, rounds):
    """Runs the scenarios without this one until one fails: schedules that never end take long to be given up."""
    environment = {**os.environ, "RPYC_MODEL_ROUNDS": str(rounds), "RPYC_DELETED": str(index)}
    run = subprocess.Popen(
        [program, "model"],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        for line in run.stdout:
            failed = re.match(r"test (?:.*::)?(\w+) \.\.\. FAILED", line)
            if failed:
                return failed[1]
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    if run.returncode:
        sys.exit(f"the model checker ended with {run.returncode}")
    return None


def main():
    arguments = sys.argv[1:]
    every = mutants()
    if arguments == ["--check"]:
        return print(f"{len(every)} lines to be deleted")
    chosen = [one for one in every if all(text in f"{one[0]}:{one[2]}" for text in arguments)]
    work = ROOT / "target/model-mutants"
    program = build(work, chosen)
    rounds = int(os.environ.get("RPYC_MODEL_ROUNDS", 100))
    survivors = 0
    for index, (name, number, line) in enumerate(chosen):
        what = f"{name.removeprefix(DISPATCH)}:{number + 1}: {line}"
        by = next(filter(None, (is_missed(program, index, rounds) for _ in range(TRIES))), None)
        print(f"found     {what}  by {by}" if by else f"SURVIVED  {what}", flush=True)
        survivors += by is None
    sys.exit(survivors > 0)


main()
