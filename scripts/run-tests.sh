#!/bin/bash
# Runs every test there is and says at the end which stages passed. `make test` calls it when the packages are in place.
#
# The programs under Tests/CLI, Tests/Interop and Tests/Web talk to the real binary, whose path they get in $DDSNODE; that of
# the command line moreover as its argument.
# A .py file without `__main__` is a module of the others.
set -uo pipefail
cd "$(dirname "$0")/.."

# One program may not hang the whole run.
readonly program_seconds_max=1200
passed=()
failed=()
export DDSNODE="$PWD/.build/debug/ddsnode"
export PYTHONUNBUFFERED=1

stage() {
    local name=$1 started=$SECONDS
    shift
    printf '\n==> %s\n' "$name"
    if "$@"; then
        passed+=("$name ($((SECONDS - started)) s)")
    else
        local status=$?
        failed+=("$name (status $status, $((SECONDS - started)) s)")
        [ $status -ne 124 ] || echo "$name took longer than $program_seconds_max seconds and was stopped" >&2
        return 1
    fi
}

summary() {
    printf '\n'
    local entry
    for entry in ${passed[@]+"${passed[@]}"}; do printf '    passed  %s\n' "$entry"; done
    for entry in ${failed[@]+"${failed[@]}"}; do printf '    FAILED  %s\n' "$entry"; done
    if [ ${#failed[@]} -eq 0 ]; then
        echo "test: all ${#passed[@]} stages passed"
    else
        echo "test: ${#failed[@]} of $((${#passed[@]} + ${#failed[@]})) stages FAILED"
        exit 1
    fi
}

stage "unit tests" scripts/unit-tests.sh
stage "manual pages" make --no-print-directory man
[ -x "$DDSNODE" ] || stage "the binary $DDSNODE" false

for program in Tests/CLI/cli.py Tests/Interop/*.py Tests/Web/*.py; do
    [ -f "$program" ] || continue
    grep -q '__main__' "$program" || continue
    arguments=()
    # To others a word is the name of a part, and one that fits none would run nothing.
    [ "$program" != Tests/CLI/cli.py ] || arguments=("$DDSNODE" --man man/ddsnode.1)
    stage "$program" timeout --kill-after=20 "$program_seconds_max" python3 "$program" "${arguments[@]}" </dev/null
done
summary
