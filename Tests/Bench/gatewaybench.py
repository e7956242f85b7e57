"""Mail programs at a mail server, as fast as one client of ours reads: the gateway and Dovecot by the same code.

What bench.py's figure_gateway measures. Each answer is read to its end and counted, so that nobody is fast by leaving out.
"""

import random
import re
import socket
import time


def small_messages(count, seed=11):
    """Whole messages of one to three kilobytes, CRLF."""
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(2000)]
    for number in range(count):
        body = "\r\n".join(" ".join(chance.choices(words, k=11)) for _ in range(chance.randint(10, 40)))
        yield (f"From: Person {number % 40} <person{number % 40}@bench.test>\r\nTo: much@bench.test\r\n"
               f"Subject: {' '.join(chance.choices(words, k=4))}\r\nMessage-ID: <g{number}@bench.test>\r\n"
               f"Date: Mon, 02 Nov 2026 10:{number // 60 % 60:02}:{number % 60:02} +0000\r\n\r\n{body}\r\n").encode()


class Wire:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kept = b""

    def send(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def line(self):
        while b"\r\n" not in self.kept:
            more = self.socket.recv(1 << 18)
            if not more:
                raise EOFError("the server has closed")
            self.kept += more
        line, self.kept = self.kept.split(b"\r\n", 1)
        return line

    def until(self, end):
        """Octets up to `end`, which begins a line."""
        parts, tail = [self.kept], self.kept
        self.kept = b""
        while end not in tail:
            more = self.socket.recv(1 << 18)
            if not more:
                raise EOFError("the server has closed")
            parts.append(more)
            tail = tail[-len(end):] + more
        return b"".join(parts)

    def close(self):
        self.socket.close()


class IMAP(Wire):
    def __init__(self, port, user, password):
        super().__init__(port)
        self.line()
        self.number = 0
        self.ask(f'LOGIN "{user}" "{password}"')

    def ask(self, command):
        self.number += 1
        tag = f"a{self.number}"
        self.send(f"{tag} {command}")
        end = f"\r\n{tag} ".encode()
        self.kept = b"\r\n" + self.kept
        answer = self.until(end)
        while not answer.endswith(b"\r\n") or answer.rfind(end) + 2 > len(answer) - 2:
            answer += self.socket.recv(1 << 18)
        last = answer[answer.rfind(end) + 2:].split(b" ", 2)
        assert last[1] == b"OK", last
        return answer


def fetch_all(port, user, password, mailbox, count):
    """Seconds for FETCH of all messages with their texts, and the octets of literals that came."""
    client = IMAP(port, user, password)
    client.ask(f'SELECT "{mailbox}"')
    begin = time.perf_counter()
    answer = client.ask("FETCH 1:* (UID FLAGS BODY.PEEK[])")
    took = time.perf_counter() - begin
    sizes = [int(size) for size in re.findall(rb"BODY\[\] \{(\d+)\}\r\n", answer)]
    assert len(sizes) == count, f"{len(sizes)} messages of {count}"
    client.send("z LOGOUT")
    client.close()
    return took, sum(sizes)


def drain(port, user, password, count):
    """Seconds for RETR of `count` messages one after the other as POP3 clients do, after LIST; nothing is deleted."""
    client = Wire(port)
    client.line()
    for line in (f"USER {user}", f"PASS {password}"):
        client.send(line)
        answer = client.line()
        assert answer.startswith(b"+OK"), answer
    client.send("LIST")
    listed = client.until(b"\r\n.\r\n").count(b"\r\n") - 2
    assert listed >= count, f"{listed} messages of {count}"
    begin = time.perf_counter()
    octets = 0
    for number in range(1, count + 1):
        client.send(f"RETR {number}")
        octets += len(client.until(b"\r\n.\r\n"))
    took = time.perf_counter() - begin
    client.send("QUIT")
    client.close()
    return took, octets


def idle_connections(port, user, password, mailbox, count):
    """Connections that have selected a mailbox and wait in IDLE."""
    clients = []
    for _ in range(count):
        client = IMAP(port, user, password)
        client.ask(f'SELECT "{mailbox}"')
        client.send("i IDLE")
        while not client.line().startswith(b"+"):
            pass
        clients.append(client)
    return clients
