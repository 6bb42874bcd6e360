"""Runs a command on a terminal of its own and does to it what is asked for, step by step; tells what became of it.

terminal.py STEPS COMMAND…, with STEPS as JSON: ["until", TEXT], ["send", TEXT], ["signal", NUMBER], ["size", COLUMNS, ROWS].
"""

import fcntl, json, os, pty, select, signal, struct, subprocess, sys, termios, time

DEADLINE = time.monotonic() + 60


def size(terminal, columns, rows):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


master, slave = pty.openpty()
size(slave, 80, 24)
before = termios.tcgetattr(slave)
child = subprocess.Popen(
    sys.argv[2:],
    stdin=slave,
    stdout=slave,
    stderr=slave,
    start_new_session=True,
    preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
)
output = b""


def read():
    """What comes within a moment. Nothing once the command has ended."""
    global output
    if time.monotonic() > DEADLINE:
        child.kill()
        sys.exit(f"it took too long: {output!r}")
    if select.select([master], [], [], 0.1)[0]:
        output += os.read(master, 65536)
        return True
    return False


for step, *what in json.loads(sys.argv[1]):
    if step == "until":
        begin = len(output)
        while what[0].encode() not in output[begin:] and child.poll() is None:
            read()
    elif step == "send":
        os.write(master, what[0].encode())
    elif step == "signal":
        child.send_signal(what[0])
    elif step == "size":
        size(slave, *what)
        os.killpg(child.pid, signal.SIGWINCH)
while child.poll() is None or read():
    read()
print(json.dumps({
    "code": child.returncode,
    "output": output.decode(errors="replace"),
    "restored": termios.tcgetattr(slave) == before,
}))
