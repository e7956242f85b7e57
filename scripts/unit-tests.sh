#!/bin/bash
# Builds and runs the unit tests, a process for each target: suites of one process share its loop and two cores, and would
# measure each other. Arguments go to swift: `scripts/unit-tests.sh --sanitize=thread --scratch-path .build-tsan`.
#
# The last lines say what became of each target, and of each that failed which tests failed and why: of a long log often only
# the end is kept. With $UNIT_TESTS_SUMMARY set, the same lines go into that file.
set -uo pipefail
cd "$(dirname "$0")/.."
# Swift's own crash reporter prints memory, which may hold keys, and stands in the way of the sanitizers' reports.
export SWIFT_BACKTRACE=enable=no
# Swift Testing colours what it writes into a pipe.
export NO_COLOR=1
readonly target_seconds_max=900
# So many lines about one target that failed, each so long at most.
readonly reasons_max=12 reason_length_max=400

logs=$(mktemp -d) || exit 73
trap 'rm -rf "$logs"' EXIT
summary=$logs/summary
failed=0

finish() {
    printf '\n'
    cat "$summary"
    [ -z "${UNIT_TESTS_SUMMARY:-}" ] || cp "$summary" "$UNIT_TESTS_SUMMARY"
}

# What a log tells of a failure: Swift Testing's issues, a crash, a sanitizer's finding, and the tests that never ended.
reasons() {
    local log=$1 status=$2
    {
        grep -aE 'recorded an issue|Fatal error|fatalError|Precondition failed|error: Exited with|(ERROR|WARNING|SUMMARY): [A-Z][A-Za-z]*Sanitizer|runtime error: ' "$log"
        [ "$status" -ne 124 ] && [ "$status" -ne 137 ] || echo "stopped after $target_seconds_max seconds"
        if ! grep -qaE 'Test run with [0-9]+ tests .*(passed|failed)' "$log"; then
            echo "the run did not come to its end; begun and not ended were:"
            # Lines of a test's begin and end differ in their sign and in what follows the name.
            sed -nE 's/^. Test ([A-Za-z_0-9]+\([^)]*\)) started\.$/\1/p' "$log" | sort -u > "$log.begun"
            sed -nE 's/^. Test ([A-Za-z_0-9]+\([^)]*\)) (with [0-9]+ test cases? )?(passed|failed|skipped).*/\1/p' "$log" | sort -u > "$log.ended"
            comm -23 "$log.begun" "$log.ended"
        fi
    } | awk '!seen[$0]++' | cut -c "1-$reason_length_max" | head -n "$reasons_max" | sed 's/^/        /'
}

if ! swift build --build-tests "$@" 2>&1 | tee "$logs/build"; then
    echo "unit tests: the build FAILED" > "$summary"
    grep -aE 'error: ' "$logs/build" | awk '!seen[$0]++' | cut -c "1-$reason_length_max" | head -n "$reasons_max" | sed 's/^/        /' >> "$summary"
    finish
    exit 1
fi
for folder in Tests/*Tests; do
    target=${folder#Tests/}
    log=$logs/$target
    started=$SECONDS
    printf '\n--> %s\n' "$target"
    # Stories start a node again at the port that it had, which another story could have taken meanwhile.
    together=()
    [ "$target" != DDSStoryTests ] || together=(--no-parallel)
    timeout --kill-after=20 "$target_seconds_max" swift test --skip-build --disable-xctest ${together[@]+"${together[@]}"} "$@" --filter "^$target\." 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    tests=$(grep -aoE 'Test run with [0-9]+ tests' "$log" | tail -n 1 | grep -oE '[0-9]+' || echo 0)
    # A filter that fits nothing passes, too.
    if [ "$status" -eq 0 ] && [ "$tests" -gt 0 ]; then
        printf '    passed  %-15s %4d tests %5d s\n' "$target" "$tests" $((SECONDS - started)) >> "$summary"
    else
        failed=$((failed + 1))
        printf '    FAILED  %-15s %4d tests %5d s, status %d\n' "$target" "$tests" $((SECONDS - started)) "$status" >> "$summary"
        reasons "$log" "$status" >> "$summary"
    fi
done
if [ "$failed" -eq 0 ]; then
    echo "unit tests: all targets passed" >> "$summary"
else
    echo "unit tests: $failed targets FAILED" >> "$summary"
fi
finish
[ "$failed" -eq 0 ]
