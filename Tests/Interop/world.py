"""One node with an agent and ordinary members, for all parts of interop.py."""
from nodekit import DOMAIN, Agent, Node, letter

BOARD = f"board@{DOMAIN}"


class World:
    """One node with an agent and ordinary members, shared by the parts. Each part leaves the maildrops empty."""

    def __init__(self):
        self.node = Node(limits='logins_per_minute = 10000\nconnections_per_ip = 60\nmessage_size = "8MiB"').init().start()
        self.carol = self.node.add_ordinary("carol")
        self.erin = self.node.add_ordinary("erin")
        self.frank = self.node.add_ordinary("frank")
        self.node.must("group", "add", "board", "--member", "carol", "--member", "erin")
        self.node.must("group", "add", "chiefs", "--owner", "carol", "--member", "erin", "--post", "owners")
        self.alice = Agent("alice")
        joined = self.alice.join(self.node.invite("alice", ["board"]))
        self.join_text = joined.text
        self.device = self.alice.certificate()


def sent(member, recipients, subject="hello", body="A line.\n"):
    """Sends a small message and returns its bytes."""
    message = letter(member.address, recipients[0], subject, body)
    code, text = member.post(recipients, message)
    assert code == 250, f"{code} {text}"
    return message
