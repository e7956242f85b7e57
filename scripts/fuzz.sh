#!/bin/bash
# Builds the libFuzzer targets of Tests/Fuzz with AddressSanitizer and runs them: `scripts/fuzz.sh [TARGET] [SECONDS]`, without a
# target all of them. Seeds are in Tests/Fuzz/corpus/TARGET; what the fuzzer adds to them and what it finds go into .build-fuzz.
#
# A finding is a file; `DDSNODE_FUZZ=TARGET .build-fuzz/ddsfuzz FILE` runs it alone.
set -euo pipefail
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no

readonly out=.build-fuzz
readonly seconds=${2:-60}
targets=(pop3 smtp lmtp imap mime)
if [ -n "${1:-}" ]; then
    [[ " ${targets[*]} " == *" $1 "* ]] || { echo "no such target: $1; there are: ${targets[*]}" >&2; exit 64; }
    targets=("$1")
fi

runtime=$(dirname "$(dirname "$(readlink -f "$(command -v swiftc)")")")/lib/clang
if ! find "$runtime/" -name 'libclang_rt.fuzzer*' 2>/dev/null | grep -q .; then
    echo "this Swift toolchain has no libFuzzer ($runtime)" >&2
    exit 69
fi

# Assertions stay, as in debug builds; with optimization a minute is worth ten.
compile() {
    swiftc -O -g -assert-config Debug -enable-testing -swift-version 6 -package-name ddsnode -sanitize=fuzzer,address \
        -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault \
        -enable-upcoming-feature MemberImportVisibility -strict-memory-safety -warnings-as-errors -parse-as-library -I "$out" "$@"
}

mkdir -p "$out"
# Whether the first file is older than one of the others.
is_older() {
    local file
    for file in "${@:2}"; do [ "$1" -nt "$file" ] || return 0; done
    return 1
}

# What lies in a folder of sources, as a module and an object.
build_module() {
    local name=$1 files
    mapfile -d '' files < <(find "Sources/$name" -name '*.swift' -print0)
    is_older "$out/$name.o" "$0" "${files[@]}" "${@:2}" || return 0
    echo "building $name for the fuzzer"
    compile -wmo -emit-module -emit-module-path "$out/$name.swiftmodule" -module-name "$name" -c -o "$out/$name.o" "${files[@]}"
    # An object that came out the same keeps its time.
    touch "$out/$name.o"
}

build_module DDSCore
build_module DDSWire "$out/DDSCore.o"
program=(Tests/Fuzz/*.swift Tests/DDSWireTests/MIMEAudit.swift)
if is_older "$out/ddsfuzz" "${program[@]}" "$out/DDSCore.o" "$out/DDSWire.o"; then
    echo "building $out/ddsfuzz"
    compile -wmo -module-name ddsfuzz -o "$out/ddsfuzz" "${program[@]}" "$out/DDSCore.o" "$out/DDSWire.o" \
        2>&1 | { grep -v 'Cannot export local symbol' || true; }
    touch "$out/ddsfuzz"
fi

failed=()
for target in "${targets[@]}"; do
    echo "==> fuzz $target, $seconds s"
    rm -rf "$out/found/$target"
    mkdir -p "$out/corpus/$target" "$out/found/$target"
    log=$out/$target.log
    # A machine needs no twenty seconds for an input of this size; leaks are for `make asan`, where tests end in order.
    DDSNODE_FUZZ=$target "$out/ddsfuzz" -max_total_time="$seconds" -max_len=16384 -timeout=20 -rss_limit_mb=2048 -detect_leaks=0 \
        -print_final_stats=1 -artifact_prefix="$out/found/$target/" "$out/corpus/$target" "Tests/Fuzz/corpus/$target" \
        > "$log" 2>&1 || failed+=("$target")
    grep -aE 'ERROR: |SUMMARY: |Fatal error|Precondition failed|Test unit written|stat::number_of_exec' "$log" || true
    grep -aE '^#[0-9]+.*cov: ' "$log" | tail -n 1
done
if [ ${#failed[@]} -gt 0 ]; then
    echo "fuzz: findings of ${failed[*]} are in $out/found, their logs in $out"
    exit 1
fi
echo "fuzz: nothing was found"
