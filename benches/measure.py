"""What the benchmarks have in common: a server of our own, a client measured against it, and what was promised."""

import json
import os
import subprocess
import sys
import time
import urllib.request


def environment(home):
    """What a client sees: nothing of this machine's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    return kept | {
        "HOME": home,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
    }


class Server:
    """One that says its endpoint in its first line, and ends with its standard input."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.endpoint = self.process.stdout.readline().strip()

    def state(self, path="state"):
        with urllib.request.urlopen(f"{self.endpoint}/-/{path}") as answer:
            return json.load(answer)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def run(command, home):
    """What a command took, with all children that it waited for: seconds, CPU seconds, MB; its status and last words."""
    began = time.monotonic()
    with open(os.path.join(home, "output"), "w+b") as output:
        child = subprocess.Popen(command, env=environment(home), stdout=output, stderr=output)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = status
        wall = time.monotonic() - began
        output.seek(0)
        said = output.read()[-2_000:].decode(errors="replace")
    return {
        "wall": wall,
        "cpu": used.ru_utime + used.ru_stime,
        "memory": used.ru_maxrss / 1024,
        "status": status,
        "said": said,
    }


def conclude(promises):
    """Prints what was promised and whether it is so, and ends with that."""
    for name, is_so in promises.items():
        print(f"{'yes' if is_so else 'NO '}  {name}")
    sys.exit(not all(promises.values()))
