"""The rounds of soak.sh, which says what they are for: soak.py BINARY ROUNDS. Only Python's own library is needed."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

MEBIBYTE = 1024 * 1024

# Each service's list: its name in a signature's scope, path, headers and body of the call, and what a name looks like
# in the answer.
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def target(name):
    return {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": name}


LISTS = {
    "stacks": ("cloudformation", "/", FORM, "Action=DescribeStacks&Version=2010-05-15", r"<StackName>([^<]+)"),
    "buckets": ("s3", "/", {}, None, r"<Name>([^<]+)"),
    "streams": ("kinesis", "/", target("Kinesis_20131202.ListStreams"), "{}", r'"StreamName": ?"([^"]+)'),
    "delivery streams": (
        "firehose", "/", target("Firehose_20150804.ListDeliveryStreams"), "{}", r"\"(kinesis-stack-[^\"]+)",
    ),
    "functions": ("lambda", "/2015-03-31/functions/", {}, None, r'"FunctionName": ?"([^"]+)'),
    "roles": ("iam", "/", FORM, "Action=ListRoles&Version=2010-05-08", r"<RoleName>([^<]+)"),
    "policies": ("iam", "/", FORM, "Action=ListPolicies&Scope=Local&Version=2010-05-08", r"<PolicyName>([^<]+)"),
    "log groups": ("logs", "/", target("Logs_20140328.DescribeLogGroups"), "{}", r'"logGroupName": ?"([^"]+)'),
}
# What each environment has; of policies there is none, and has to be none.
OF_AN_ENVIRONMENT = [kind for kind in LISTS if kind != "policies"]


def ask(endpoint):
    """All names that the local cloud knows, as (kind, name)."""
    names = set()
    for kind, (service, path, headers, body, pattern) in LISTS.items():
        scope = f"Credential=test/20260101/us-east-1/{service}/aws4_request"
        headers = headers | {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"}
        request = urllib.request.Request(endpoint + path, body and body.encode(), headers)
        # No proxy of this machine's has a say here.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            names |= {(kind, name) for name in re.findall(pattern, answer.read().decode())}
    return names


# Runs a verb and writes down its highest memory, in KiB. In a process of its own: Linux counts what whoever starts a
# process holds as memory of that process, and this one grows with what it notes.
MEASURED = """
import os, sys
child = os.spawnv(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
with open(sys.argv[1], "w") as note:
    note.write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
"""


class Processes:
    """The machine's processes at one moment."""

    def __init__(self):
        self.parents = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    # Behind the name, which may hold anything, in brackets: state, parent.
                    stat = (entry / "stat").read_text()
                    self.parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
                except OSError:
                    pass  # It has ended meanwhile.

    def below(self, ancestor):
        family = {ancestor}
        while True:
            more = {pid for pid, parent in self.parents.items() if parent in family} - family
            if not more:
                return family - {ancestor}
            family |= more

    def that_know(self, directory):
        """Those with this directory in their environment or command line: whatever we started has."""
        def knows(pid):
            try:
                process = pathlib.Path("/proc", str(pid))
                return directory.encode() in process.joinpath("environ").read_bytes() + b"\0" + process.joinpath(
                    "cmdline").read_bytes()
            except OSError:
                return False
        return {pid for pid in self.parents if knows(pid)}


def handles(pids):
    """What the handles of these processes lead to."""
    ends = []
    for pid in pids:
        for handle in pathlib.Path(f"/proc/{pid}/fd").glob("*"):
            try:
                ends.append(os.readlink(handle))
            except OSError:
                pass  # It has been closed meanwhile.
    return ends


def hung_up():
    """The connections that their other end has closed, as handles lead to them."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    close_wait = "08"
    return {f"socket:[{row[9]}]" for row in rows if row[3] == close_wait}


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) / 1024


def files(*directories):
    count = 0
    for directory in directories:
        # Links aren't followed: what they lead to isn't of these rounds.
        count += sum(len(names) for _, _, names in os.walk(directory))
    return count


class Soak:
    def __init__(self, binary, work):
        self.work = pathlib.Path(work)
        self.cache, self.temporary = self.work / "cache", self.work / "tmp"
        for directory in (self.cache / "local", self.temporary):
            directory.mkdir(parents=True)
        # A copy: whatever is built meanwhile changes nothing.
        self.tool = shutil.copy(binary, self.work / "kinesis-stack")
        self.environment = os.environ | {
            "KINESIS_STACK_CACHE_DIR": str(self.cache),
            "TMPDIR": str(self.temporary),
            "HOME": str(self.work),
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        # What is slow to make is taken over from the tests.
        install = pathlib.Path("target/local-install").absolute()
        install.mkdir(parents=True, exist_ok=True)
        (self.cache / "local/install").symlink_to(install)
        if os.path.isdir("target/tmp/processor"):
            shutil.copytree("target/tmp/processor", self.cache / "processor")
        self.seconds, self.peak = {}, 0

    def run(self, line):
        """Runs a verb to its good end; its time and its highest memory are kept."""
        with open(self.work / "said", "w+b") as said:
            began = time.monotonic()
            note = self.work / "memory"
            child = subprocess.run(
                [sys.executable, "-I", "-S", "-c", MEASURED, note, self.tool, *line.split()],
                cwd=self.work, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT,
            )
            self.seconds[line.split()[0]] = time.monotonic() - began
            self.peak = max(self.peak, int(note.read_text()) / 1024)
            said.seek(0)
            output = said.read().decode()
        if child.returncode != 0:
            raise SystemExit(f"kinesis-stack {line}: exit code {child.returncode}\n{output}")
        return output

    def begin(self):
        """A second environment keeps the local cloud alive between the rounds."""
        self.run("up --local --yes --env keep")
        status = json.loads(self.run("local status --output json"))
        self.endpoint, self.pid, self.version = status["endpoint"], status["pid"], status["version"]
        self.kept = ask(self.endpoint)
        for kind in OF_AN_ENVIRONMENT:
            if not any(kind == known for known, _ in self.kept):
                raise SystemExit(f"the question for {kind} finds nothing, not even what is there")

    def round(self):
        self.peak = 0
        self.run("up --local --yes --env soak")
        more = {kind for kind, _ in ask(self.endpoint) - self.kept}
        if more != set(OF_AN_ENVIRONMENT):
            raise SystemExit(f"an environment that is up has {sorted(more)}")
        self.run("produce --local --env soak --records 20")
        self.run("results --local --env soak --wait 20 --timeout 2m")
        self.run("down --local --yes --env soak")
        names = ask(self.endpoint)
        left, lost = names - self.kept, self.kept - names
        if left or lost:
            raise SystemExit(f"left: {sorted(left)}; of the other environment lost: {sorted(lost)}")

    def note(self):
        """What there is between two rounds. First what is ours, which must not grow, then the local cloud's."""
        processes = Processes()
        cloud = processes.below(self.pid)
        ours = processes.that_know(str(self.work)) - cloud - {self.pid, os.getpid()}
        run, closed = self.cache / "local/run", hung_up()
        open_handles = handles({self.pid})
        here = files(self.cache, self.temporary) - files(run)
        ours = {
            "processes": len(ours),
            "handles": len(handles(ours)),
            "files in cache and TMPDIR": here,
            "highest memory of a verb, MiB": self.peak,
        }
        theirs = {
            "memory, MiB": resident(self.pid),
            "handles": sum(end not in closed for end in open_handles),
            # MiniStack notices only after 75 s that a client has hung up.
            "closed connections": sum(end in closed for end in open_handles),
            "children": len(cloud),
            "memory of children, MiB": sum(resident(pid) for pid in cloud),
            "files": files(run),
            "log, MiB": (self.cache / "local/server.log").stat().st_size / MEBIBYTE,
            "seconds for up": self.seconds["up"],
            "seconds for down": self.seconds["down"],
        }
        meminfo = pathlib.Path("/proc/meminfo").read_text()
        machine = {
            "free memory, MiB": int(re.search(r"MemAvailable:\s+(\d+)", meminfo).group(1)) / 1024,
            "processes": len(processes.parents),
            "handles": int(pathlib.Path("/proc/sys/fs/file-nr").read_text().split()[0]),
        }
        return {"ours": ours, "the local cloud's": theirs, "the machine's": machine}

    def end(self):
        """Ends whatever runs still, and tells how many that were."""
        ended = set()
        while left := Processes().that_know(str(self.work)) - {os.getpid()}:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass  # It has ended meanwhile.
            ended |= left
            time.sleep(0.05)
        return len(ended)


def shown(values):
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())


def quarters(notes, whose, name):
    """The means of the first and the last quarter."""
    values = [note[whose][name] for note in notes]
    size = max(1, len(values) // 4)
    return sum(values[:size]) / size, sum(values[-size:]) / size


def grown(notes, whose, least=0.0):
    """(name, first, last) of what grew by more than this share."""
    pairs = [(name, *quarters(notes, whose, name)) for name in notes[0][whose]]
    return [(name, first, last) for name, first, last in pairs if last > first * (1 + least)]


def verdict(notes, version, rounds):
    for name, first, last in grown(notes, "the local cloud's", 0.05):
        print(f"MiniStack {version} keeps more: {name} {first:.4g} → {last:.4g}")
    # A verb's memory differs a little from run to run; all else of ours is counted and stays as it is.
    ours = [it for it in grown(notes, "ours") if "MiB" not in it[0]]
    ours += [it for it in grown(notes, "ours", 0.1) if "MiB" in it[0]]
    # Between rounds none of ours runs: one that always does hasn't grown, but was left all the same.
    left = max(note["ours"]["processes"] for note in notes)
    if left:
        print(f"ours: up to {left} processes outlived their verbs")
    for name, first, last in ours:
        print(f"ours grew: {name} {first:.4g} → {last:.4g}")
    good = not ours and not left
    if good:
        print(f"{rounds} rounds: nothing left after any of them, nothing of ours grew")
    return good


def main():
    binary, rounds = sys.argv[1], int(sys.argv[2])
    every = 20 if rounds >= 80 else max(1, rounds // 4)
    # SIGTERM ends it as Ctrl-C does, with all that it started; and so does SIGINT where a shell has us ignore it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="kinesis-stack-soak-") as work:
        soak, notes = Soak(binary, work), []
        try:
            soak.begin()
            for number in range(1, rounds + 1):
                soak.round()
                if number % every == 0:
                    notes.append(soak.note())
                    print(f"round {number}", flush=True)
                    for whose, values in notes[-1].items():
                        print(f"  {whose}: {shown(values)}", flush=True)
            good = verdict(notes, soak.version, rounds)
            # The last one takes the local cloud with it.
            soak.run("down --local --yes --env keep")
        except KeyboardInterrupt:
            raise SystemExit(130) from None
        finally:
            left = soak.end()
        if left:
            print(f"{left} processes outlived the local cloud")
    sys.exit(0 if good and not left else 1)


if __name__ == "__main__":
    main()
