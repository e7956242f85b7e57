#!/usr/bin/env python3
"""age files by a third implementation: PyPI's `pyrage`, which is rage, in Rust. Run with .build/test-python/bin/python, where
`make test-deps` puts it; see nodekit.ragefile.

    ragefile.py keygen                   identity and recipient, on two lines
    ragefile.py open IDENTITY            opens standard input
    ragefile.py seal RECIPIENT           seals standard input, armored
    ragefile.py unlock PASSPHRASE-FILE   opens standard input with the passphrase in the file
    ragefile.py lock PASSPHRASE-FILE     seals standard input with it
"""
import sys

import pyrage


def main():
    word, data = sys.argv[1], b"" if sys.argv[1] == "keygen" else sys.stdin.buffer.read()
    if word == "keygen":
        identity = pyrage.x25519.Identity.generate()
        out = f"{identity}\n{identity.to_public()}\n".encode()
    elif word == "open":
        out = pyrage.decrypt(data, [pyrage.x25519.Identity.from_str(sys.argv[2])])
    elif word == "seal":
        out = pyrage.encrypt(data, [pyrage.x25519.Recipient.from_str(sys.argv[2])], armored=True)
    else:
        with open(sys.argv[2], encoding="utf-8") as file:
            passphrase = file.read().rstrip("\n")
        out = (pyrage.passphrase.decrypt if word == "unlock" else pyrage.passphrase.encrypt)(data, passphrase)
    sys.stdout.buffer.write(out)


if __name__ == "__main__":
    try:
        main()
    except (pyrage.DecryptError, pyrage.EncryptError, pyrage.IdentityError, pyrage.RecipientError) as problem:
        sys.exit(f"{type(problem).__name__}: {problem}")
