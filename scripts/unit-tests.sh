#!/bin/bash
# Builds and runs the unit tests, a process for each target: suites of one process share its loop and two cores, and would
# measure each other. Arguments go to swift: `scripts/unit-tests.sh --sanitize=thread --scratch-path .build-tsan`.
set -uo pipefail
cd "$(dirname "$0")/.."
# Swift's own crash reporter prints memory, which may hold keys, and stands in the way of the sanitizers' reports.
export SWIFT_BACKTRACE=enable=no
readonly target_seconds_max=600

swift build --build-tests "$@" || exit 1
failed=()
for folder in Tests/*Tests; do
    target=${folder#Tests/}
    printf '\n--> %s\n' "$target"
    timeout --kill-after=20 "$target_seconds_max" swift test --skip-build "$@" --filter "^$target\." || failed+=("$target")
done
[ ${#failed[@]} -eq 0 ] || { echo "unit tests FAILED in: ${failed[*]}"; exit 1; }
