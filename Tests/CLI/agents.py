"""Agents of a running node: join, mail from one to another, the page; and a member with only a mail program and age."""
import poplib
import re
import smtplib
import ssl
import subprocess
import time

from harness import (
    DOMAIN, PASSPHRASE, PASSWORD, PATIENCE, Cmdlines, agent_config, expect, need, report, wait_for)


def agents(world, config, node):
    passphrase = world.write("bob.pass", PASSPHRASE + "\n")
    wrong = world.write("wrong.pass", "not this one\n")
    bob = world.write("B.toml", agent_config("b", world.folder))
    expect("list before join", world.run("list", "--passphrase-file", passphrase, config=bob), 66, "join")
    expect("fetch before join", world.run("fetch", config=bob), 66, "join")
    expect("unlock without an agent", world.run("unlock", "--passphrase-file", passphrase, config=bob), 69, "ddsnode run")
    expect("open without an agent", world.run("open", "--print-url", config=bob), 69)
    expect("something that is no invite", world.run("join", "hello", "--passphrase-file", passphrase, config=bob), 65, "dds://")
    expect("join with nobody to ask", world.run("join", "dds://127.0.0.1/7Q2KM4VX9TREA1ZPC3HD8NWY5B#H6CW0JNB4RTX", "--no-input",
                                                config=bob), 64, "--passphrase-file")

    invite = world.run("invite", "new", "bob", "--json", config=config).json["invite"]
    burnt = invite[:-3] + ("000" if invite[-3:] != "000" else "111")
    expect("an invite with a wrong secret", world.run("join", burnt, "--passphrase-file", passphrase, "--no-browser", config=bob), 65)
    other_key = re.sub(r"/[0-9A-Z]{26}", "/" + "0" * 26, invite)
    result = world.run("join", other_key, "--passphrase-file", passphrase, "--no-browser", config=bob)
    report.check("an invite for another key", result.code in (65, 76), result)
    dead = re.sub(r"\?p=\d+\.\d+", "?p=1.1", invite)
    expect("a node that does not answer", world.run("join", dead, "--passphrase-file", passphrase, "--no-browser", config=bob), 69)

    joined = world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=bob)
    need("join INVITE --passphrase-file FILE --no-browser", joined.code == 0 and f"bob@{DOMAIN}" in joined.text, joined)
    report.check("join says its steps", all(word in joined.text for word in ("registered", "closed and reopened", "test message")), joined)
    expect("join twice", world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=bob), 73)
    again = world.write("B2.toml", agent_config("b2", world.folder))
    expect("a used invite", world.run("join", invite, "--passphrase-file", passphrase, "--no-browser", config=again), 65)
    made = world.run("invite", "new", "frank", "--json", config=config).json
    world.run("invite", "revoke", str(made["invite_id"]), config=config)
    expect("a revoked invite", world.run("join", made["invite"], "--passphrase-file", passphrase, "--no-browser", config=again), 65)

    offline(world, bob, passphrase, wrong)
    agent = world.start("--role", "agent", config=bob, log="bob.log")
    status = world.wait_until_up(agent, bob, "bob.log")
    need("--config B.toml --role agent", status["roles"] == ["agent"] and status["agent"]["address"] == f"bob@{DOMAIN}", status)
    report.check("an agent begins locked", status["agent"]["locked"] is True, status)
    expect("list while locked", world.run("list", config=bob), 77, "locked")
    expect("a wrong passphrase", world.run("unlock", "--passphrase-file", wrong, config=bob), 77, "passphrase")
    result = world.run("fetch", "--json", config=bob)
    report.check("fetch while locked", result.code == 0 and isinstance(result.json["fetched"], int), result)
    report.check("unlock --passphrase-file FILE", world.run("unlock", "--passphrase-file", passphrase, config=bob).code == 0)
    world.run("lock", config=bob)
    result = world.run("unlock", "--passphrase-file", "-", input=PASSPHRASE.encode(), config=bob)
    report.check("unlock --passphrase-file -", result.code == 0, result)
    mail(world, config, bob)
    page(world, bob)
    both_agents(world, config, bob, passphrase)
    report.check("lock", world.run("lock", config=bob).code == 0 and world.run("list", config=bob).code == 77)
    report.check("an agent stops with SIGTERM and status 0", world.stop(agent) == 0, world.log("bob.log")[-600:])
    expect("lock without an agent", world.run("lock", config=bob), 0)
    log = world.log("bob.log") + world.log("node.log")
    report.check("no secret is in a log", PASSPHRASE not in log and PASSWORD not in log and invite.split("#")[1] not in log)


def offline(world, bob, passphrase, wrong):
    expect("list without an agent, wrong passphrase", world.run("list", "--passphrase-file", wrong, config=bob), 77)
    result = world.run("list", "--json", "--passphrase-file", passphrase, config=bob)
    report.check("list without an agent", result.code == 0 and isinstance(result.json, list), result)
    result = world.run("send", "-s", "Written offline", "--passphrase-file", passphrase, f"bob@{DOMAIN}", input=b"to myself\n",
                       config=bob)
    report.check("send without an agent", result.code == 0, result)
    result = world.run("fetch", "--json", config=bob)
    report.check("fetch without an agent", result.code == 0 and "fetched" in (result.json or {}), result)
    expect("send with the passphrase on standard input", world.run("send", "--passphrase-file", "-", "bob", config=bob), 64)


def received(world, config, subject):
    def look():
        world.run("fetch", config=config)
        rows = world.run("list", "--json", config=config).json or []
        return next((row for row in rows if row["subject"] == subject and row["state"] == "received"), None)

    return wait_for(look)


def mail(world, config, bob):
    own = received(world, bob, "Written offline")
    report.check("what was sent offline arrived", own is not None)
    attachment = world.write("plan.bin", bytes(range(256)) * 20)
    result = world.run("send", "-s", "Grüße", "-a", attachment, f"board@{DOMAIN}", input="Hallo Gruppe ✓\n".encode(), config=bob)
    report.check("send -s SUBJECT -a FILE board@node.test < body", result.code == 0, result)
    raw = f"To: board@{DOMAIN}\nSubject: By sendmail\nBcc: bob@{DOMAIN}\n\nHeader says it all.\n"
    result = world.run("send", "-t", input=raw.encode(), config=bob)
    report.check("send -t < message", result.code == 0, result)
    for row in (world.run("list", "--json", config=bob).json or []):
        missing = {"id", "from", "to", "subject", "group", "date", "unread", "state"} - set(row)
        if missing:
            report.check("list --json has its fields", False, missing)
            break
    else:
        report.check("list --json has its fields", True)
    result = world.run("list", "--json", "--group", "board", config=bob)
    report.check("list --group", result.code == 0 and {row["group"] for row in result.json} == {"board"}, result)
    sent = next((row for row in result.json or [] if row["subject"] == "Grüße"), None)
    need("the sent message is listed", sent is not None, result)
    result = world.run("show", sent["id"], config=bob)
    report.check("show", result.code == 0 and "Hallo Gruppe ✓" in result.text and "plan.bin" in result.text, result)
    result = world.run("show", sent["id"], "--raw", config=bob)
    report.check("show --raw is the message itself", result.code == 0 and result.out.startswith((b"From:", b"Date:", b"MIME", b"To:", b"Subject:", b"Message-ID:"))
                 and b"\r\n\r\n" in result.out, result)
    expect("show of nothing", world.run("show", "nothing", config=bob), 67, "ddsnode list")
    expect("send to nobody", world.run("send", "-s", "x", config=bob), 64, "-t")
    expect("send to an address that is none", world.run("send", "a b", input=b"x", config=bob), 65)
    expect("send to another node", world.run("send", "x@elsewhere.example", input=b"x", config=bob), 65, "elsewhere")
    expect("an attachment that is missing", world.run("send", "-a", world.path("none"), "bob", input=b"x", config=bob), 66)
    expect("a message without recipients", world.run("send", "-t", input=b"Subject: x\n\nx\n", config=bob), 64)
    unknown = world.run("send", "-s", "Nowhere", f"nobody@{DOMAIN}", input=b"x", config=bob)
    if unknown.code == 0:
        def refused():
            rows = world.run("list", "--json", config=bob).json or []
            return next((row for row in rows if row["subject"] == "Nowhere" and row["state"] == "refused"), None)

        row = wait_for(refused)
        report.check("an unknown recipient is refused in words", row is not None and "nobody" in (row["note"] or ""), row)
    else:
        expect("an unknown recipient", unknown, 67, "nobody")


def page(world, bob):
    result = world.run("open", "--print-url", config=bob)
    report.check("open --print-url", result.code == 0 and re.match(r"http://\S+/open/\S+\n\Z", result.text), result)
    expect("open without a desktop", world.run("open", config=bob), 69, "--print-url")


def both_agents(world, config, bob, passphrase):
    """Frank's agent is a second process; carol has only a mail program."""
    frank = world.write("F.toml", agent_config("f", world.folder))
    # An agent that nobody has joined takes `join` while it runs.
    agent = world.start("--role", "agent", config=frank, log="frank.log")
    world.wait_until_up(agent, frank, "frank.log")
    invite = world.run("invite", "new", "frank", "--json", config=config).json["invite"]
    watch = Cmdlines()
    joined = subprocess.Popen(
        [world.binary, "--config", frank, "join", "-", "--passphrase-file", passphrase, "--no-browser"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment, cwd=world.folder)
    joined.stdin.write(invite.encode())
    joined.stdin.close()
    while joined.poll() is None:
        watch.look()
        time.sleep(0.01)
    output = joined.stdout.read() + joined.stderr.read()
    need("join - in a running agent", joined.returncode == 0 and b"frank@" in output, output)
    watch.look()
    report.check("no secret is in a process list", not watch.has(PASSPHRASE) and not watch.has(invite.split("#")[1])
                 and not watch.has(PASSWORD) and watch.count > 0)
    world.run("unlock", "--passphrase-file", passphrase, config=frank)
    world.run("group", "member", "add", "board", "frank", config=config)
    members = ["frank"]
    if world.run("user", "show", "carol", config=config).code == 0:
        world.run("group", "member", "add", "board", "carol", config=config)
        members.append("carol")
    result = world.run("send", "-s", "For everybody", f"board@{DOMAIN}", input=b"Thursday at nine?\n", config=bob)
    row = received(world, frank, "For everybody")
    report.check("a message goes from one member to another", row is not None and row["group"] == "board", result)
    if row:
        ours = world.run("list", "--json", config=bob).json
        sent = next(item for item in ours if item["subject"] == "For everybody" and item["state"] != "received")
        there = world.run("show", row["id"], "--raw", config=frank).out
        here = world.run("show", sent["id"], "--raw", config=bob).out
        report.check("and arrives byte for byte", there == here and there, (here[-200:], there[-200:]))
    rows = world.run("list", "--json", config=frank).json or []
    report.check("a late joiner has nothing older", all(item["subject"] not in ("Grüße", "By sendmail") for item in rows), rows)
    if "carol" in members:
        carol(world, config)
    report.check("stop ends a daemon", world.run("stop", config=frank).code == 0 and agent.wait(5) == 0)


def carol(world, config):
    """An ordinary mail program: POP3 over TLS, and age."""
    listen = world.run("status", "--json", config=config).json["server"]["listen"]
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    port = int(listen["pop3s"][0].rsplit(":", 1)[1])

    def fetch():
        box = poplib.POP3_SSL("127.0.0.1", port, context=context, timeout=PATIENCE)
        try:
            box.user("carol")
            box.pass_(PASSWORD)
            count = len(box.list()[1])
            return b"\r\n".join(box.retr(count)[1]) if count else None
        finally:
            box.quit()

    message = wait_for(fetch)
    need("carol fetches with poplib", message is not None)
    armor = re.search(rb"-----BEGIN AGE ENCRYPTED FILE-----.*?-----END AGE ENCRYPTED FILE-----", message, re.S)
    need("her mail is sealed", armor is not None and b"Thursday" not in message, message[:400])
    opened = subprocess.run(["age", "-d", "-i", world.path("carol.key")], input=armor.group(0) + b"\n", capture_output=True)
    report.check("and age opens it", opened.returncode == 0 and b"Thursday at nine?" in opened.stdout, opened.stderr)
    submission = int(listen["submissions"][0].rsplit(":", 1)[1])
    with smtplib.SMTP_SSL("127.0.0.1", submission, context=context, timeout=PATIENCE) as client:
        client.login("carol", PASSWORD)
        refused = client.sendmail(f"carol@{DOMAIN}", [f"board@{DOMAIN}"], "Subject: From Carol\r\n\r\nNine is fine.\r\n")
        report.check("carol answers with smtplib", refused == {}, refused)
    report.check("and bob has it", received(world, world.path("B.toml"), "From Carol") is not None)
