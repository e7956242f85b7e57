#!/usr/bin/env python3
"""The server role against programs that others wrote: openssl, curl, age, swaks, msmtp, mpop, fetchmail, poplib and smtplib, and against
clients that misbehave, die, or are not clients at all.

usage: interop.py [PART...]     only the parts whose name contains one of the words
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../Support"))
import nodekit
from clients import (curl_pop3s_and_smtps, curl_with_a_device_key, fetchmail, mpop, msmtp, openssl_by_hand, openssl_s_client,
    swaks)
from deaths import drain, in_use, killed_clients, killed_server
from dialogs import dialogs
from handover import lmtp_answers_one_by_one, lmtp_by_swaks, lmtp_by_tcp, lmtp_seals_as_it_comes, lmtp_smuggling
from hostile import no_tls_handshake, oversize_lines, slow_and_half_open_clients, smuggling
from nodekit import program
from protocols import chunking_and_pipelining, corpus, lmtp, pop3_by_poplib, smtp_by_smtplib
from world import World


PARTS = [openssl_s_client, openssl_by_hand, curl_pop3s_and_smtps, curl_with_a_device_key, swaks, msmtp, mpop, fetchmail, pop3_by_poplib,
    smtp_by_smtplib,
         chunking_and_pipelining, lmtp, lmtp_answers_one_by_one, lmtp_by_swaks, lmtp_by_tcp, lmtp_seals_as_it_comes, lmtp_smuggling,
         corpus,
         smuggling, oversize_lines, no_tls_handshake, slow_and_half_open_clients,
         killed_clients,
         dialogs, drain, killed_server, in_use]


def main():
    words = sys.argv[1:]
    checks = nodekit.Checks("interop")
    if not all(program(name) for name in ("openssl", "curl", "age", "age-keygen")):
        checks.ok("openssl, curl and age are installed", False, "run: make test-deps")
        checks.finish()
    world = World()
    checks.ok("an agent joined", "test message came back" in world.join_text, world.join_text)
    for part in PARTS:
        if not words or any(word in part.__name__ for word in words):
            checks.part(part, world)
            if not world.node.running():
                checks.ok("the node runs", False, f"it ended with {world.node.process.returncode}: {world.node.log_text()[-1500:]}")
                world.node.start()
            for member in (world.carol, world.erin, world.frank):
                left = member.fetch_all()
                checks.ok(f"nothing is left for {member.name}", not left, f"{len(left)} messages")
    checks.equal("the node has no problems", world.node.status()["problems"], [])
    checks.equal("the node stops in order", world.node.stop(), 0)
    checks.finish()


if __name__ == "__main__":
    main()
