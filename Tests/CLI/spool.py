"""The node's store through the command line: what it says of itself, a new root key, and a store that has lost something."""
import glob
import os
import smtplib
import ssl

from harness import DOMAIN, PASSWORD, age_recipient, expect, need, report, server_config


def part_spool(world):
    recipient = age_recipient(world)
    if not recipient:
        return report.skip("the node's store", "age is not installed")
    config = world.write("P.toml", server_config("p", world.folder))
    need("init of a node", world.run("init", "server", config=config).code == 0)
    password = world.write("p.pass", PASSWORD + "\n")
    for name in ("carol", "dora"):
        added = world.run("user", "add", name, "--recipient", recipient, "--password-file", password, config=config)
        need(f"a member {name}", added.code == 0, added)
    daemon = world.start("run", config=config, log="p.log")
    listen = world.wait_until_up(daemon, config, "p.log")["server"]["listen"]
    submit(listen["submissions"][0])
    running(world, config)
    world.stop(daemon)
    stat = world.run("spool", "stat", "--json", config=config)
    report.check("spool stat of a stopped node", stat.code == 0 and stat.json["records"] > 0, stat)
    expect("run --accept-loss is known", world.run("run", "--accept-loss", "--check-config", config=config), 0)
    damaged(world, config)


def submit(address):
    host, port = address.rsplit(":", 1)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP_SSL(host, int(port), context=context) as client:
        client.login("carol", PASSWORD)
        client.sendmail(f"carol@{DOMAIN}", [f"dora@{DOMAIN}"], "Subject: kept\r\n\r\nFor Dora.\r\n")


def running(world, config):
    stat = world.run("spool", "stat", "--json", config=config)
    good = stat.code == 0 and stat.json["records"] > 0 and stat.json["erase_level"] in ("E1", "E2", "E3")
    report.check("spool stat --json", good and stat.json["file_system"] and stat.json["file_system_words"], stat)
    text = world.run("spool", "stat", config=config)
    report.check("spool stat for people", "erased" in text.text and stat.json["file_system"] in text.text, text)
    verified = world.run("spool", "verify", "--json", config=config)
    report.check("spool verify while it runs", verified.code == 0 and verified.json["damage"] == []
                 and verified.json["records"] == stat.json["records"], verified)
    shredded = world.run("spool", "shred", "--json", config=config)
    report.check("spool shred changes the root key", shredded.code == 0 and shredded.json["awaiting_rotation"] == 0
                 and shredded.json["root_epoch"] == stat.json["root_epoch"] + 1, shredded)
    report.check("and nothing is lost", world.run("spool", "verify", config=config).code == 0)
    status = world.run("status", "--json", config=config)
    spool = status.json["server"]["spool"]
    report.check("status says the level and the file system", spool["erase_level"] == shredded.json["erase_level"]
                 and spool["file_system_words"] == stat.json["file_system_words"], spool)
    report.check("status still counts the message", status.json["server"]["waiting_messages"] == 1, status)


def damaged(world, config):
    """One bit of a slot: refused with nothing changed, then accepted and listed."""
    for path in sorted(glob.glob(world.path("p/server/spool/seg-*"))):
        with open(path, "r+b") as file:
            file.seek(4096)
            table = file.read(1024 * 128)
            used = [slot for slot in range(1024) if any(table[slot * 128:slot * 128 + 128])]
            if not used:
                continue
            place = 4096 + used[-1] * 128 + 17
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 4]))
            break
    name = os.path.basename(path)

    def contents():
        found = {}
        for entry in sorted(glob.glob(world.path("p/server/spool/*"))):
            with open(entry, "rb") as file:
                found[entry] = file.read()
        return found

    before = contents()
    refused = world.run("run", config=config)
    expect("a damaged store is refused", refused, 74, name, "slot", "--accept-loss")
    report.check("and no byte was changed", contents() == before)
    daemon = world.start("run", "--accept-loss", config=config, log="p2.log")
    status = world.wait_until_up(daemon, config, "p2.log")
    lost = status["server"]["spool"]["lost"]
    report.check("--accept-loss starts and lists what is lost", lost and name in lost[0], status["server"]["spool"])
    shown = world.run("status", config=config)
    report.check("status names it as a problem", shown.code == 1 and "lost" in shown.text, shown)
    report.check("so does the log", "lost" in world.log("p2.log"))
    world.stop(daemon)
    report.check("what was accepted is told once", world.run("spool", "stat", config=config).code == 0)
