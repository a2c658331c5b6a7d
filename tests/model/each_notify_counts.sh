#!/usr/bin/env bash
# Deletes the connection's notifications one by one, and what nests a request on any wait and interrupts
# one, in a copy, and runs the model checker on each copy: it has to fail every time. A notification that
# nothing misses is either not needed, or the model lacks the scenario that needs it. Not listed are those that only make sooner what the
# watchdog would do at its next look (the first of each kind in closing.rs, the second of task_ends there, the one in background.rs),
# and those of the outbox, which no scenario waits for: tests
# without the model do.
#
#   tests/model/each_notify_counts.sh [copies' folder]
set -euo pipefail
# A job is a process group, so that it can be ended.
set -m
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
work=${1:-target/model-mutants}
mkdir -p "$work"
rm -rf "$work/tree"
mkdir "$work/tree"
git archive HEAD | tar -x -C "$work/tree"

# file:statement, as it stands in the code; the n-th occurrence is meant where a number follows.
mutants=(
    "incoming.rs:core.wake(waiter);"
    "running.rs:core.wake(waiter);"
    "reading.rs:core.sleepers.wake_one_of_several();"
    "scheduler.rs:task.waits_in = outer;"
    "scheduler.rs:self.waiting_tasks -= usize::from(outer.is_none());"
    "running.rs:core.task_ends.notify();"
    "reading.rs:core.wake(next_reader);"
    "closing.rs:core.sleepers.wake_all();:2"
    "closing.rs:core.task_ends.notify();:3"
    "scheduler/choosing.rs:return own.or_else(|| waits.next()).map(|waiter| waiter.id);"
    "../executor.rs:INTERRUPTION.with(|now| now.set(Interruption::Happened));"
    "closing.rs:core.reading.notify_end();"
    "reading.rs:Self::notify_unread(core);"
)
survivors=0
for mutant in "${mutants[@]}"; do
    IFS=: read -r file rest <<<"$mutant"
    rest=${mutant#"$file:"}
    nth=1
    if [[ $rest =~ ^(.*\;):([0-9]+)$ ]]; then
        rest=${BASH_REMATCH[1]}
        nth=${BASH_REMATCH[2]}
    fi
    path=$(realpath -m --relative-to=. "rpyc-core/src/dispatch/$file")
    git show "HEAD:$path" | awk -v what="$rest" -v nth="$nth" '
        index($0, what) && ++seen == nth { found = 1; sub(/[^ ].*/, "();") } { print }
        END { exit !found }' >"$work/tree/$path" || { echo "not found: $mutant" >&2; exit 1; }
    : >"$work/model.log"
    (cd "$work/tree" && exec cargo model >"../model.log" 2>&1) &
    # One failure is enough; schedules that never end take long to be given up.
    while kill -0 "$!" 2>/dev/null && ! grep -q '^test .* FAILED' "$work/model.log"; do
        sleep 1
    done
    kill -- "-$!" 2>/dev/null || true
    wait "$!" 2>/dev/null || true
    if grep -q '^test .* FAILED' "$work/model.log"; then
        echo "found     $mutant"
    elif grep -q '^test result: ok' "$work/model.log"; then
        echo "SURVIVED  $mutant"
        survivors=$((survivors + 1))
    else
        tail -20 "$work/model.log" >&2
        exit 1
    fi
    git show "HEAD:$path" >"$work/tree/$path"
done
[ "$survivors" -eq 0 ]
