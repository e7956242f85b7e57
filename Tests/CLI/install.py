#!/usr/bin/env python3
"""`make install` into a folder: what it puts there, whether systemd takes the units, and that `make uninstall` leaves nothing.

usage: install.py
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from nodekit import BINARY, ROOT, folder, path, requires

SERVER = "lib/systemd/system/ddsnode-server.service"
AGENT = "lib/systemd/user/ddsnode-agent.service"


def run(*words, **environment):
    done = subprocess.run(
        words, cwd=ROOT, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return done.returncode, done.stdout.decode(errors="replace").strip()


def make(goal):
    return run("make", "--no-print-directory", "-s", goal, f"PREFIX={folder()}/usr", f"RELEASE={BINARY}")


def files():
    return sorted(
        os.path.relpath(os.path.join(here, name), f"{folder()}/usr") for here, _, names in os.walk(f"{folder()}/usr") for name in names)


def install(checks):
    checks.equal("make install", make("install"), (0, ""))
    pages = [f"share/man/man{name[-1]}/{name}" for name in os.listdir(f"{ROOT}/man") if name[-1].isdigit()]
    wanted = pages + [
        "bin/ddsnode", SERVER, AGENT, "lib/sysusers.d/ddsnode.conf", "lib/tmpfiles.d/ddsnode.conf",
        "share/applications/ddsnode.desktop", "share/icons/hicolor/scalable/apps/ddsnode.svg",
        "share/icons/hicolor/symbolic/apps/ddsnode-symbolic.svg", "share/bash-completion/completions/ddsnode", "share/doc/ddsnode/examples/agent.toml", "share/doc/ddsnode/examples/server.toml",
        "share/doc/ddsnode/examples/postfix/main.cf", "share/doc/ddsnode/examples/postfix/master.cf",
        "share/doc/ddsnode/examples/opensmtpd/smtpd.conf",
        "share/fish/vendor_completions.d/ddsnode.fish", "share/zsh/site-functions/_ddsnode"]
    checks.equal("it installs each file and no other", files(), sorted(wanted))
    code, text = run(f"{folder()}/usr/bin/ddsnode", "--version")
    checks.ok("the installed program runs", code == 0 and text.startswith("ddsnode "), text)


def units(checks):
    if not requires(checks, "units under systemd-analyze", "systemd-analyze", "systemd-sysusers"):
        return
    # It warns of a misspelt directive and goes on; only silence means that it takes every line.
    checks.equal(
        "systemd takes the server's unit", run("systemd-analyze", "verify", "--man=no", f"{folder()}/usr/{SERVER}"), (0, ""))
    runtime = os.path.dirname(path("runtime", "x"))
    checks.equal(
        "systemd takes the agent's unit",
        run("systemd-analyze", "--user", "verify", "--man=no", f"{folder()}/usr/{AGENT}", XDG_RUNTIME_DIR=runtime), (0, ""))
    broken = path("broken", "ddsnode-server.service")
    with open(f"{folder()}/usr/{SERVER}") as unit, open(broken, "w") as copy:
        copy.write(unit.read().replace("ProtectSystem=", "ProtectSystems="))
    code, text = run("systemd-analyze", "verify", "--man=no", broken)
    checks.ok("a misspelt directive would be seen", "ProtectSystems" in text, f"{code} {text}")
    code, text = run("systemd-analyze", "security", "--offline=yes", "--threshold=20", f"{folder()}/usr/{SERVER}")
    checks.ok("systemd calls the server's exposure at most 2.0 of 10", code == 0, text[-300:])
    code, text = run("systemd-sysusers", "--dry-run", f"{folder()}/usr/lib/sysusers.d/ddsnode.conf")
    checks.ok("systemd-sysusers takes the user", code == 0 and "Failed" not in text and "Unknown" not in text, text)


def uninstall(checks):
    checks.equal("make uninstall", make("uninstall"), (0, ""))
    checks.equal("it leaves no file", files(), [])


def main():
    checks = nodekit.Checks("install")
    for part in [install, units, uninstall]:
        checks.part(part)
    checks.finish()


if __name__ == "__main__":
    main()
