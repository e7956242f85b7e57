#!/usr/bin/env python3
"""age files by a second implementation: PyPI's `cryptography` for the primitives, and the format written anew from C2SP age.md.
Nothing of it comes from ddsnode. Runs in the environment that `make test-deps` makes (see `nodekit.agefile`).

usage: agefile.py keygen hybrid|classical          two lines: identity, recipient
       agefile.py recipient IDENTITY               the recipient of an identity, derived from it
       agefile.py open IDENTITY                    an armored or binary file on standard input
       agefile.py seal RECIPIENT                   an armored file on standard output
       agefile.py stanzas                          the stanzas of a file on standard input, one a line, without bodies
"""
import base64
import hashlib
import hmac
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, MLKEM768X25519PrivateKey, MLKEM768X25519PublicKey, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
HYBRID_INFO = b"age-encryption.org/mlkem768x25519"
CLASSICAL_INFO = b"age-encryption.org/v1/X25519"
CHUNK = 65536
LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


# MARK: bech32 (BIP 173)

def checksum(prefix, groups):
    check = 1
    for value in [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix] + groups:
        top = check >> 25
        check = (check & 0x1ffffff) << 5 ^ value
        for bit, word in enumerate((0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3)):
            check ^= word if top >> bit & 1 else 0
    return check


def bech32(prefix, data):
    number = int.from_bytes(data, "big") << (-len(data) * 8 % 5)
    count = (len(data) * 8 + 4) // 5
    groups = [number >> 5 * (count - 1 - index) & 31 for index in range(count)]
    check = checksum(prefix, groups + [0] * 6) ^ 1
    return prefix + "1" + "".join(LETTERS[value] for value in groups + [check >> 5 * (5 - index) & 31 for index in range(6)])


def unbech32(text):
    prefix, _, rest = text.lower().rpartition("1")
    groups = [LETTERS.index(c) for c in rest]
    assert checksum(prefix, groups) == 1, "the check sum is wrong"
    groups = groups[:-6]
    number = 0
    for value in groups:
        number = number << 5 | value
    spare = len(groups) * 5 % 8
    assert spare < 5 and number & (1 << spare) - 1 == 0, "stray bits"
    return prefix, (number >> spare).to_bytes(len(groups) * 5 // 8, "big")


# MARK: keys

def private_key(identity):
    """The key, and the raw public key."""
    prefix, secret = unbech32(identity)
    assert len(secret) == 32
    if prefix == "age-secret-key-":
        key = X25519PrivateKey.from_private_bytes(secret)
        return key, raw(key.public_key())
    assert prefix == "age-secret-key-pq-", prefix
    # draft-connolly-cfrg-xwing-kem: the seed gives both halves.
    both = hashlib.shake_256(secret).digest(96)
    lattice, curve = MLKEM768PrivateKey.from_seed_bytes(both[:64]), X25519PrivateKey.from_private_bytes(both[64:])
    return MLKEM768X25519PrivateKey(lattice, curve), raw(lattice.public_key()) + raw(curve.public_key())


def raw(key):
    return key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)


def recipient_of(identity):
    _, public = private_key(identity)
    return bech32("age" if len(public) == 32 else "age1pq", public)


def hkdf(secret, salt, info):
    return HKDF(hashes.SHA256(), 32, salt, info).derive(secret)


# MARK: stanzas

def b64(data):
    return base64.b64encode(data).rstrip(b"=")


def unb64(text):
    data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    assert b64(data) == text, "base64 is not canonical"
    return data


def sealed_stanza(recipient, file_key):
    prefix, public = unbech32(recipient)
    if prefix == "age":
        ephemeral = X25519PrivateKey.generate()
        share = raw(ephemeral.public_key())
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public))
        wrap = hkdf(shared, share + public, CLASSICAL_INFO)
        return b"X25519", share, ChaCha20Poly1305(wrap).encrypt(bytes(12), file_key, None)
    assert prefix == "age1pq" and len(public) == 1216, prefix
    key = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:1184]), X25519PublicKey.from_public_bytes(public[1184:]))
    # The suite puts the encapsulated key in front.
    sealed = SUITE.encrypt(file_key, key, info=HYBRID_INFO)
    return b"mlkem768x25519", sealed[:1120], sealed[1120:]


def opened_stanza(kind, share, body, key, public):
    assert len(body) == 32
    if kind == b"X25519" and len(public) == 32:
        shared = key.exchange(X25519PublicKey.from_public_bytes(share))
        return ChaCha20Poly1305(hkdf(shared, share + public, CLASSICAL_INFO)).decrypt(bytes(12), body, None)
    if kind == b"mlkem768x25519" and len(public) == 1216:
        assert len(share) == 1120
        return SUITE.decrypt(share + body, key, info=HYBRID_INFO)
    return None


# MARK: files

def parse(file):
    """The stanzas as (arguments, body), the bytes that the code covers, the code, and the payload."""
    version, rest = file.split(b"\n", 1)
    assert version == b"age-encryption.org/v1"
    stanzas = []
    while not rest.startswith(b"---"):
        line, rest = rest.split(b"\n", 1)
        assert line.startswith(b"-> ")
        body = b""
        while True:
            piece, rest = rest.split(b"\n", 1)
            assert len(piece) <= 64
            body += piece
            if len(piece) < 64:
                break
        stanzas.append((line[3:].split(b" "), unb64(body)))
    covered = file[:len(file) - len(rest)] + b"---"
    line, payload = rest.split(b"\n", 1)
    return stanzas, covered, unb64(line[4:]), payload


def dearmored(data):
    if not data.lstrip().startswith(b"-----BEGIN"):
        return data
    lines = data.strip().splitlines()
    assert lines[0] == b"-----BEGIN AGE ENCRYPTED FILE-----" and lines[-1] == b"-----END AGE ENCRYPTED FILE-----"
    assert all(len(line) == 64 for line in lines[1:-2]) and 0 < len(lines[-2]) <= 64
    return base64.b64decode(b"".join(lines[1:-1]), validate=True)


def open_file(identity, data):
    key, public = private_key(identity)
    stanzas, covered, code, payload = parse(dearmored(data))
    for arguments, body in stanzas:
        if arguments[0] not in (b"X25519", b"mlkem768x25519"):
            continue
        assert len(arguments) == 2
        file_key = opened_stanza(arguments[0], unb64(arguments[1]), body, key, public)
        if file_key:
            break
    else:
        raise AssertionError("no stanza is for this key")
    assert len(file_key) == 16
    assert hmac.compare_digest(code, hmac.digest(hkdf(file_key, b"", b"header"), covered, "sha256")), "the header was altered"
    stream = ChaCha20Poly1305(hkdf(file_key, payload[:16], b"payload"))
    sealed, plain, number = payload[16:], b"", 0
    while True:
        piece, sealed = sealed[:CHUNK + 16], sealed[CHUNK + 16:]
        plain += stream.decrypt(number.to_bytes(11, "big") + bytes([not sealed]), piece, None)
        assert len(piece) > 16 or number == 0, "an empty last chunk"
        number += 1
        if not sealed:
            return plain


def seal_file(recipient, plain):
    file_key = os.urandom(16)
    kind, share, body = sealed_stanza(recipient, file_key)
    header = b"age-encryption.org/v1\n-> " + kind + b" " + b64(share) + b"\n" + b64(body) + b"\n---"
    header += b" " + b64(hmac.digest(hkdf(file_key, b"", b"header"), header, "sha256")) + b"\n"
    nonce = os.urandom(16)
    stream = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    count = max(1, -(-len(plain) // CHUNK))
    chunks = [stream.encrypt(number.to_bytes(11, "big") + bytes([number == count - 1]),
                             plain[number * CHUNK:(number + 1) * CHUNK], None) for number in range(count)]
    text = base64.b64encode(header + nonce + b"".join(chunks))
    lines = [text[start:start + 64] for start in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN AGE ENCRYPTED FILE-----", *lines, b"-----END AGE ENCRYPTED FILE-----", b""])


def main():
    verb, *words = sys.argv[1:]
    if verb == "keygen":
        prefix = {"hybrid": "age-secret-key-pq-", "classical": "age-secret-key-"}[words[0]]
        identity = bech32(prefix, os.urandom(32)).upper()
        print(identity, recipient_of(identity), sep="\n")
    elif verb == "recipient":
        print(recipient_of(words[0]))
    elif verb == "open":
        sys.stdout.buffer.write(open_file(words[0], sys.stdin.buffer.read()))
    elif verb == "seal":
        sys.stdout.buffer.write(seal_file(words[0], sys.stdin.buffer.read()))
    elif verb == "stanzas":
        for arguments, _ in parse(dearmored(sys.stdin.buffer.read()))[0]:
            print(b" ".join(argument if len(argument) < 40 else b"..." for argument in arguments).decode())
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
