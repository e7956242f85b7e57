"""A Dovecot of one's own, the peer of the gateway's figures: one user, mail in a Maildir, plain logins on loopback.

Debian's packages dovecot-imapd and dovecot-pop3d; nothing outside of the folder is read or written, and no service is started.
"""

import os
import pwd
import shutil
import socket
import subprocess
import time

USER, PASSWORD = "bench", "bench-password"


def is_here():
    return shutil.which("dovecot") is not None


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Dovecot:
    """Runs until `close`. `messages` are whole messages with CRLF line ends."""

    def __init__(self, folder, messages):
        self.folder = folder
        self.imap, self.pop3 = _free_port(), _free_port()
        shutil.rmtree(folder, ignore_errors=True)
        maildir = os.path.join(folder, "Maildir")
        for part in ("cur", "new", "tmp"):
            os.makedirs(os.path.join(maildir, part))
        for number, text in enumerate(messages):
            with open(os.path.join(maildir, "cur", f"{1_700_000_000 + number}.M{number}.bench:2,S"), "wb") as file:
                file.write(text.replace(b"\r\n", b"\n"))
        # Dovecot gives no mail to root.
        owner = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        for root, folders, files in os.walk(maildir):
            for name in [root, *(os.path.join(root, name) for name in files)]:
                os.chown(name, owner.pw_uid, owner.pw_gid)
        os.chmod(folder, 0o755)
        config = os.path.join(folder, "dovecot.conf")
        inside = "nobody" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
        with open(config, "w") as file:
            file.write(f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
default_internal_user = {inside}
default_login_user = {inside}
default_internal_group = {"nogroup" if os.getuid() == 0 else ""}
mail_location = maildir:{maildir}
first_valid_uid = 1
first_valid_gid = 1
mail_max_userip_connections = 1000
passdb {{
  driver = static
  args = password={PASSWORD}
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {self.pop3}
  }}
  inet_listener pop3s {{
    port = 0
  }}
}}
service imap {{
  process_limit = 1000
}}
service anvil {{
  chroot =
}}
""")
        self.process = subprocess.Popen(["dovecot", "-F", "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", self.imap), timeout=1).close()
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError(f"dovecot ended: {self.process.stderr.read().decode()}")
                time.sleep(0.1)
        raise RuntimeError("dovecot does not listen")

    def imap_processes(self):
        """(pid, private KiB) of the processes that serve one IMAP connection each."""
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/status") as file:
                    status = dict(line.split(":", 1) for line in file if ":" in line)
                if status["Name"].strip() == "imap":
                    found.append((int(name), private_kib(int(name))))
            except (OSError, KeyError):
                continue
        return found

    def close(self):
        self.process.terminate()
        self.process.wait(20)


def private_kib(pid):
    """What only this process has in memory."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(("Private_Clean", "Private_Dirty")))
