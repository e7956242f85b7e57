#!/bin/bash
# Installs with apt what is missing of the packages that building or testing needs, and says what each is for. Of PyPI the tests
# need two packages that Debian has not, or not so new; they go into an environment of their own, .build/test-python.
# Usage: install-deps.sh build|test...      Installs nothing and asks for nothing when all is there.
set -euo pipefail

build=(
    "libuv1-dev|the event loop"
    "libsodium-dev|cryptography: age files, the spool, passwords"
    "libssl-dev|TLS"
    "libmicrohttpd-dev|the agent's page"
    "libgmime-3.0-dev|reading and writing MIME"
    "libgumbo-dev|reading HTML mail as browsers do"
    "libicu-dev|names that look like others, international host names"
    "libsqlite3-dev|searching in memory"
    "libsystemd-dev|telling systemd of start, reload and stop"
    "pkg-config|finding these libraries"
    "g++|C++ headers for the TOML library"
    "git|fetching Swift packages"
    "ca-certificates|fetching them over TLS"
)
test=(
    "age|opening and sealing what ddsnode seals and opens"
    "minisign|verifying and making the signatures of control mail"
    "mpop|a POP3 client"
    "fetchmail|a POP3 client"
    "isync|an IMAP client, mbsync"
    "offlineimap3|an IMAP client"
    "msmtp|an SMTP client"
    "mutt|a mail program"
    "aerc|a mail program"
    "swaks|an SMTP and LMTP client"
    "libnet-ssleay-perl|TLS for swaks"
    "libnss3-tools|the trust of Thunderbird, as the program and the tests change it"
    "postfix|a mail server in front of the node, as an instance of the test's own"
    "curl|a POP3 and SMTP client"
    "openssl|a TLS client"
    "python3|poplib, smtplib and the test programs"
    "python3-venv|an environment for the second implementation of the age format"
    "chromium|the page in a browser"
    "tmux|a terminal to type into"
    "mandoc|checking the manual pages"
    "procps|looking at processes"
    "zbar-tools|reading QR codes"
    "systemd|checking the units"
    "dbus|message buses of one's own for tray and notifications"
    "python3-dbus|a tray, a notification server and logind that the tests play"
    "python3-gi|the loop that these run on"
    "desktop-file-utils|checking the desktop entry"
    "xdg-utils|opening the page as a desktop does"
    "xvfb|a screen for the panel that shows the icon"
    "xfce4-panel|a real tray"
    "xfconf|the settings of that panel"
    "imagemagick|looking at the pixels of the screen"
    "fiu-utils|a disk that returns errors"
)

fail() {
    printf 'install-deps: %s\n' "$1" >&2
    exit 69
}

[ $# -gt 0 ] || { echo "usage: install-deps.sh build|test..." >&2; exit 64; }
wanted=()
for group in "$@"; do
    case $group in
        build) wanted+=("${build[@]}") ;;
        test) wanted+=("${test[@]}") ;;
        *) echo "install-deps: there is no group \"$group\"; the groups are build and test" >&2; exit 64 ;;
    esac
done

names() {
    local entry list=()
    for entry in "$@"; do list+=("${entry%%|*}"); done
    printf '%s' "${list[*]}"
}

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "this is no Debian; install what Debian 12 calls: $(names "${wanted[@]}")"
fi

# A machine has one mail server, and tests are no reason to replace it; what needs Postfix is then skipped and says so.
has_other_mail_server() {
    dpkg-query -W -f '${db:Status-Status} ${Provides}\n' 2>/dev/null | grep '^installed .*mail-transport-agent' >/dev/null
}

missing=()
for entry in "${wanted[@]}"; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "${entry%%|*}" 2>/dev/null || true)
    [ "$state" != installed ] || continue
    if [ "${entry%%|*}" = postfix ] && has_other_mail_server; then
        echo "deps: this machine has another mail server than Postfix, which stays; Tests/Interop/postfix.py will be skipped"
        continue
    fi
    missing+=("$entry")
done
# The primitives of Tests/Support/agefile.py, since HPKE with X-Wing is in no version of Debian's, and rage for ragefile.py.
readonly pypi=(cryptography==50.0.2 pyrage==1.4.0)
python_packages() {
    local place wanted="${pypi[*]}"
    place=$(dirname "$0")/../.build/test-python
    [[ " $* " == *" test "* ]] || return 0
    [ "$(cat "$place/packages" 2>/dev/null)" != "$wanted" ] || return 0
    echo "deps: $wanted will be installed from PyPI into .build/test-python"
    rm -rf "$place"
    python3 -m venv "$place" \
        && "$place/bin/pip" install --quiet --disable-pip-version-check --retries 3 --only-binary :all: "${pypi[@]}" \
        && printf '%s' "$wanted" > "$place/packages" \
        || fail "$wanted could not be installed; the words of pip are above"
}

if [ ${#missing[@]} -eq 0 ]; then
    echo "deps: all ${#wanted[@]} packages for $* are installed"
    python_packages "$@"
    exit 0
fi

echo "deps: ${#missing[@]} Debian packages are missing and will be installed with apt-get:"
for entry in "${missing[@]}"; do printf '  %-18s %s\n' "${entry%%|*}" "${entry#*|}"; done

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null \
        || fail "installing needs root and there is no sudo; run as root: apt-get install $(names "${missing[@]}")"
    echo "deps: installing needs root; sudo may ask for your password"
    as_root=(sudo)
fi

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@"
}

read -r -a packages <<<"$(names "${missing[@]}")"
# Old lists may name versions that the mirror no longer has. Without network the lists that are there may still do.
apt update -qq || echo "deps: the package lists could not be refreshed; trying with those that are here"
# Without a configuration Postfix is there and does not run. Where debconf is not, nothing would ask for one either.
if [[ " ${packages[*]} " == *" postfix "* ]] && command -v debconf-set-selections >/dev/null; then
    "${as_root[@]}" debconf-set-selections <<<"postfix postfix/main_mailer_type select No configuration"
fi
apt install -y --no-install-recommends "${packages[@]}" \
    || fail "apt-get could not install: ${packages[*]}; its own words are above"
echo "deps: installed ${packages[*]}"
python_packages "$@"
