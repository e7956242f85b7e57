"""ENVELOPE, BODYSTRUCTURE and BODY[n] of messages served by IMAP, held against Python's `email` where that is right.

`compare(imap, originals)` is for other programs; alone: structure.py HOST PORT USER PASSWORD FILE... with messages that are in the
INBOX there.
"""
import collections
import email
import email.utils
import imaplib
import re
import sys

ENVELOPE = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")


class Complaints(list):
    """What differs, and how much was compared."""

    def __init__(self):
        super().__init__()
        self.compared = 0

    def equal(self, what, actual, expected):
        self.compared += 1
        if actual != expected:
            self.append(f"{what}: IMAP says {actual!r}, Python {expected!r}")


# MARK: IMAP's grammar

def parse(octets):
    """One value of IMAP's grammar: lists, octets, numbers, None."""
    value, end = _value(octets, 0)
    if end != len(octets):
        raise ValueError(f"more behind the value: {octets[end:end + 40]!r}")
    return value


def _value(octets, index):
    first = octets[index:index + 1]
    if first == b"(":
        items, index = [], index + 1
        while octets[index:index + 1] != b")":
            if octets[index:index + 1] == b" ":
                index += 1
            item, index = _value(octets, index)
            items.append(item)
        return items, index + 1
    if first == b'"':
        text, index = bytearray(), index + 1
        while octets[index] != 0x22:
            if octets[index] == 0x5C:
                index += 1
            text.append(octets[index])
            index += 1
        return bytes(text), index + 1
    if first == b"{":
        end = octets.index(b"}\r\n", index)
        start = end + 3
        stop = start + int(octets[index + 1:end])
        return octets[start:stop], stop
    end = index
    while end < len(octets) and octets[end:end + 1] not in (b" ", b"(", b")"):
        end += 1
    word = octets[index:end]
    if word == b"NIL":
        return None, end
    return (int(word) if word.isdigit() else word), end


def fetched(data):
    """The items of one FETCH response as imaplib gives them, by name in upper case."""
    raw = b"".join(part[0] + b"\r\n" + part[1] if isinstance(part, tuple) else part for part in data)
    items = parse(raw[raw.index(b" ") + 1:])
    return {name.upper(): value for name, value in zip(items[::2], items[1::2])}


# MARK: What Python says

def canonical(octets):
    """CRLF for every line end."""
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def octets_of(text):
    return str(text).encode("latin-1")


def fields(message, name):
    """The unfolded values of a field, as octets. `raw_items` has them before anybody decodes anything."""
    values = [value for key, value in message.raw_items() if key.lower() == name]
    return [octets_of(value).replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"").strip(b" \t") for value in values]


def field(message, name):
    return next(iter(fields(message, name)), None)


def addresses(values):
    """(name, address) of all mailboxes, groups dissolved."""
    text = [value.decode("latin-1") for value in values]
    try:
        pairs = email.utils.getaddresses(text, strict=False)
    except TypeError:
        pairs = email.utils.getaddresses(text)
    return [(name.encode("latin-1"), address.encode("latin-1")) for name, address in pairs if name or address]


def is_odd(values):
    """Where RFC 5322 lets one write what `email` reads in its own way: comments, routes, 8-bit, groups without end."""
    return any(octet in value for value in values for octet in b"()\\") or any(
        b"<@" in value or max(value, default=0) > 0x7E or value.count(b'"') % 2 or b"@" not in value for value in values)


def own_type(part):
    """The type as RFC 2045 has it, or None where the field is broken: then it is text/plain, with parameters as good as none."""
    value = field(part, "content-type")
    if value is None:
        return None
    kind = value.split(b";")[0].strip().lower()
    main, slash, sub = kind.partition(b"/")
    is_token = main and sub and not any(octet in b'()<>@,;:\\"/[]?= \t' or octet > 0x7E for octet in main + sub)
    return (main, sub) if slash and is_token else None


def parameters(part, name):
    """Pairs of a field, names in lower case; None where `email` decodes what IMAP leaves as it is, or takes a comment along."""
    value = field(part, name)
    if value is None or b"*" in value or b"(" in value or b"\\" in value or max(value) > 0x7E or value.count(b'"') % 2:
        return None
    pairs = part.get_params(header=name)[1:]
    return [(octets_of(key.lower()), octets_of(word)) for key, word in pairs if word and key]


# MARK: Comparison

def compare_envelope(complaints, where, message, envelope):
    for index, name in enumerate(ENVELOPE):
        what = f"{where}: {name}"
        if index in (0, 1, 8, 9):
            complaints.equal(what, envelope[index], field(message, name))
            continue
        values = fields(message, name)
        if name in ("sender", "reply-to") and not any(values):
            complaints.equal(what + " is From", envelope[index], envelope[2])
            continue
        if is_odd(values):
            continue
        actual = [
            ((row[0] or b""), row[2] + (b"@" + row[3] if row[3] else b""))
            for row in envelope[index] or [] if row[3] is not None
        ]
        complaints.equal(what, actual, addresses(values))


def compare_body(complaints, where, part, body, number, section, of_message=False):
    """`section` gives the octets of a section such as 1.2."""
    if part.defects:
        # Whatever a broken part is, the two may see it differently.
        return
    kind = own_type(part)
    if isinstance(body[0], list):
        bodies = [item for item in body if isinstance(item, list)][:next(i for i, item in enumerate(body) if not isinstance(item, list))]
        rest = body[len(bodies):]
        complaints.equal(f"{where}: type", (b"multipart", rest[0].lower()), kind)
        if not part.is_multipart():
            complaints.append(f"{where}: Python sees no parts")
            return
        children = part.get_payload()
        complaints.equal(f"{where}: number of parts", len(bodies), len(children))
        compare_extension(complaints, where, part, rest[1], rest[2:])
        for index, (child, inner) in enumerate(zip(children, bodies), 1):
            name = f"{number}.{index}" if number else str(index)
            compare_body(complaints, f"{where} part {name}", child, inner, name, section)
        return
    if of_message:
        # A message that is no multipart has itself as its part 1.
        number = f"{number}.1" if number else "1"
    main, sub, pairs, identifier, description, encoding, size = body[:7]
    expected = kind
    if kind is None:
        default = part.get_default_type().split("/")
        expected = (default[0].encode(), default[1].encode()) if field(part, "content-type") is None else (b"text", b"plain")
    elif kind[0] == b"multipart":
        # Without a part in it; Python calls most of these defects.
        expected = (b"text", b"plain")
    complaints.equal(f"{where}: type", (main.lower(), sub.lower()), expected)
    complaints.equal(f"{where}: id", identifier, field(part, "content-id") or None)
    complaints.equal(f"{where}: description", description, field(part, "content-description") or None)
    words = (field(part, "content-transfer-encoding") or b"7bit").split(b";")[0].split()
    complaints.equal(f"{where}: encoding", encoding.lower(), words[0].lower() if words else b"7bit")
    octets = section(number)
    complaints.equal(f"{where}: size", size, len(octets))
    rest = body[7:]
    is_message = expected in ((b"message", b"rfc822"), (b"message", b"global"))
    if is_message:
        embedded = part.get_payload(0)
        compare_envelope(complaints, f"{where} message", embedded, rest[0])
        compare_body(complaints, f"{where} message", embedded, rest[1], number, section, of_message=True)
        rest = rest[2:]
    elif not part.is_multipart():
        complaints.equal(f"{where}: octets", octets, octets_of(part.get_payload()))
    if is_message or expected[0] == b"text":
        complaints.equal(f"{where}: lines", rest[0], octets.count(b"\n"))
        rest = rest[1:]
    complaints.equal(f"{where}: MD5", rest[0], field(part, "content-md5") or None)
    compare_extension(complaints, where, part, pairs, rest[1:])


def compare_extension(complaints, where, part, pairs, rest):
    def pairs_of(words):
        words = words or []
        return [(name.lower(), value) for name, value in zip(words[::2], words[1::2]) if value]

    expected = parameters(part, "content-type")
    if expected is not None and own_type(part) is not None:
        complaints.equal(f"{where}: parameters", pairs_of(pairs), expected)
    disposition, languages, location = rest
    expected = parameters(part, "content-disposition")
    if expected is not None and part.get_content_disposition():
        complaints.equal(f"{where}: disposition", disposition and disposition[0].lower(), part.get_content_disposition().encode())
        complaints.equal(f"{where}: disposition's parameters", disposition and pairs_of(disposition[1]), expected)
    written = (field(part, "content-language") or b"").replace(b",", b" ").split()
    complaints.equal(f"{where}: languages", languages or [], written)
    complaints.equal(f"{where}: location", location, field(part, "content-location") or None)


def compare_message(complaints, where, original, envelope, body, section):
    """`envelope` and `body` as `parse` gives them, for a message with CRLF line ends."""
    # As text of one octet a character: from octets, `get_payload` would decode some.
    message = email.message_from_string(original.decode("latin-1"))
    if any("MissingHeaderBodySeparator" in type(defect).__name__ for defect in message.defects):
        # Python ends the header section at the first line that is no field; we and others at the empty line.
        return
    compare_envelope(complaints, where, message, envelope)
    # Of two delimiters in a row Python makes one, and RFC 2046 a part with nothing in it.
    if not re.search(rb"^(--[^\r\n]+)\r\n\1(--)?[ \t]*\r?$", original, re.MULTILINE):
        compare_body(complaints, where, message, body, "", section, of_message=True)


def compare(imap, originals):
    """Each message of the selected mailbox against the one of `originals` (octets with CRLF line ends) that it is. Returns
    `Complaints`; a message that is none of them is one, and so is one that did not come."""
    complaints = Complaints()
    missing = collections.Counter(bytes(octets) for octets in originals)
    numbers = imap.search(None, "ALL")[1][0].split()
    for number in numbers:
        whole = fetched(imap.fetch(number, "(BODY.PEEK[])")[1])[b"BODY[]"]
        where = f"message {number.decode()}"
        if not missing[whole]:
            complaints.append(f"{where} is none of those that were sent, or came too often")
            continue
        missing[whole] -= 1
        items = fetched(imap.fetch(number, "(ENVELOPE BODYSTRUCTURE)")[1])

        def section(name):
            return fetched(imap.fetch(number, f"(BODY.PEEK[{name}])")[1])[f"BODY[{name}]".upper().encode()] or b""

        compare_message(complaints, where, whole, items[b"ENVELOPE"], items[b"BODYSTRUCTURE"], section)
        complaints.equal(f"{where}: HEADER and TEXT", section("HEADER") + section("TEXT"), whole)
    for octets in sorted(missing.elements()):
        complaints.append(f"did not come: {octets[:60]!r}...")
    return complaints


def main(arguments):
    host, port, user, password, *files = arguments
    originals = [canonical(open(name, "rb").read()) for name in files]
    with imaplib.IMAP4(host, int(port)) as imap:
        imap.login(user, password)
        imap.select("INBOX", readonly=True)
        complaints = compare(imap, originals)
    for complaint in complaints:
        print("FAIL", complaint)
    print(f"structure: {complaints.compared} comparisons, {len(complaints)} differ")
    return 1 if complaints or not complaints.compared else 0


# No program of the tests: it needs a server, which one of them gives it.
if len(sys.argv) > 5 and sys.argv[0].endswith("structure.py"):
    sys.exit(main(sys.argv[1:]))
