#!/bin/bash
# Runs every test there is and says at the end which stages passed. `make test` calls it when the packages are in place.
#
# The programs under Tests/CLI, Tests/Interop and Tests/Web talk to the real binary, whose path they get in $DDSNODE; that of
# the command line moreover as its argument.
# A .py file without `__main__` is a module of the others.
#
# The last lines say which stages and which tests failed, and with which words: of a long log often only the end is kept.
set -uo pipefail
cd "$(dirname "$0")/.."

# One program may not hang the whole run.
readonly program_seconds_max=1200
# So many lines about one stage that failed, each so long at most.
readonly reasons_max=12 reason_length_max=400
logs=$(mktemp -d) || exit 73
trap 'rm -rf "$logs"' EXIT
stages=0
failed=0
export DDSNODE="$PWD/.build/debug/ddsnode"
export PYTHONUNBUFFERED=1

# The words of a program about what went wrong; where none of them look so, its last lines.
reasons() {
    local log=$1 lines
    lines=$(grep -aE '^FAIL |Error: |error: |^mandoc: ' "$log")
    [ -n "$lines" ] || lines=$(tail -n "$reasons_max" "$log")
    awk 'NF && !seen[$0]++' <<<"$lines" | cut -c "1-$reason_length_max" | head -n "$reasons_max" | sed 's/^/        /'
}

stage() {
    local name=$1 started=$SECONDS status
    local log=$logs/$stages
    shift
    stages=$((stages + 1))
    printf '\n==> %s\n' "$name"
    "$@" 2>&1 | tee "$log"
    status=${PIPESTATUS[0]}
    if [ "$status" -eq 0 ]; then
        printf '    passed  %s (%d s)\n' "$name" $((SECONDS - started)) >> "$logs/passed"
        return
    fi
    failed=$((failed + 1))
    {
        printf '    FAILED  %s (status %d, %d s)\n' "$name" "$status" $((SECONDS - started))
        [ "$status" -ne 124 ] || echo "        took longer than $program_seconds_max seconds and was stopped"
        # The unit tests summarise themselves.
        if [ "$name" = "unit tests" ] && [ -s "$logs/unit" ]; then
            grep -av '^    passed' "$logs/unit" | sed 's/^/    /'
        else
            reasons "$log"
        fi
    } >> "$logs/failed"
    return 1
}

summary() {
    printf '\n'
    # What failed comes last, nearest to the end.
    [ ! -s "$logs/unit" ] || grep -a '^    passed' "$logs/unit"
    [ ! -s "$logs/passed" ] || cat "$logs/passed"
    if [ "$failed" -eq 0 ]; then
        echo "test: all $stages stages passed"
    else
        cat "$logs/failed"
        echo "test: $failed of $stages stages FAILED"
        exit 1
    fi
}

UNIT_TESTS_SUMMARY="$logs/unit" stage "unit tests" scripts/unit-tests.sh
stage "manual pages" make --no-print-directory man
[ -x "$DDSNODE" ] || stage "the binary $DDSNODE" false

for program in Tests/CLI/*.py Tests/Interop/*.py Tests/Web/*.py; do
    [ -f "$program" ] || continue
    grep -q '__main__' "$program" || continue
    arguments=()
    # To others a word is the name of a part, and one that fits none would run nothing.
    [ "$program" != Tests/CLI/cli.py ] || arguments=("$DDSNODE" --man man/ddsnode.1)
    stage "$program" timeout --kill-after=20 "$program_seconds_max" python3 "$program" ${arguments[@]+"${arguments[@]}"} </dev/null
done
summary
