#!/usr/bin/env python3
"""Drives the real ddsnode binary as scripts and people do: the contract of CLI.md section 8, exit codes, and bad input.

usage: cli.py [BINARY] [--man PAGE] [--only WORD] [--keep]

Without BINARY it is the one that $DDSNODE names. Standard library only. Everything happens in a temporary folder and on free ports. One line per check; the last line is
`N passed, N failed, N skipped`, and the exit status says whether all passed.
"""
import argparse
import os
import sys

from alone import part_configuration, part_demo, part_manual, part_terminal, part_torture, part_words
from harness import Failed, World, report
from keys import part_keys
from node import part_both, part_running, part_stopped_server
from spool import part_spool


def find_page():
    here = os.path.dirname(os.path.abspath(__file__))
    page = os.path.join(here, "..", "..", "man", "ddsnode.1")
    return os.path.normpath(page) if os.path.exists(page) else None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("binary", nargs="?", default=os.environ.get("DDSNODE", ".build/debug/ddsnode"))
    arguments.add_argument("--man", default=find_page())
    arguments.add_argument("--only", help="run the parts whose name contains this")
    arguments.add_argument("--keep", action="store_true", help="leave the folder")
    chosen = arguments.parse_args()
    world = World(chosen.binary)
    parts = [
        ("words", part_words), ("torture", part_torture), ("manual", lambda world: part_manual(world, chosen.man)), ("configuration", part_configuration),
        ("stopped", part_stopped_server), ("running", part_running), ("terminal", part_terminal), ("both", part_both),
        ("keys", part_keys), ("spool", part_spool), ("demo", part_demo)]
    try:
        for name, part in parts:
            if chosen.only and chosen.only not in name and not (chosen.only in ("running", "terminal") and name == "stopped"):
                continue
            try:
                part(world)
            except Failed as problem:
                if str(problem):
                    report.check(f"part {name} goes on", False, problem)
            except Exception as problem:  # A part that breaks is a failure of that part, and the others still run.
                report.check(f"part {name} runs to its end", False, repr(problem))
    finally:
        world.close(chosen.keep)
    print(f"{report.passed} passed, {report.failed} failed, {report.skipped} skipped")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    sys.exit(main())
