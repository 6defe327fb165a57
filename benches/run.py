"""Measures logins, side by side and in turns, and writes benches/RESULTS.md. Run by scripts/bench.

Each contender runs alone with the stand-in for WeChat, the database and the load generator on the same machine. A round
measures every contender once, in an order that changes; the table has the medians of the rounds.
"""

import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target" / "release"
TOOLS = ROOT / "target" / "bench"
APP = "wx0123456789abcdef"
PEOPLE = int(os.environ.get("PEOPLE", "10000"))
SECONDS = int(os.environ.get("SECONDS_EACH", "8"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "32"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise SystemExit(f"{process.args} did not start")


def children(pid):
    found = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        found += children(int(child))
    return found


def cpu(pids):
    """Seconds of user and system time."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except FileNotFoundError:
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory(pids, name="VmRSS"):
    """MiB."""
    total = 0
    for pid in pids:
        try:
            total += int(re.search(rf"{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1])
        except (FileNotFoundError, TypeError):
            continue
    return total / 1024


class Server:
    """A process that listens."""

    def __init__(self, name, command, port, environment=None, folder=None):
        self.name, self.port = name, port
        self.log = open(TOOLS / f"{name}.log", "w")
        self.process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, cwd=folder, stdout=self.log, stderr=self.log,
            start_new_session=True,
        )
        wait_for(port, self.process)
        self.url = f"http://127.0.0.1:{port}"

    def pids(self):
        return children(self.process.pid)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wrk(script, url, connections=CONNECTIONS, seconds=SECONDS, environment=None):
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(ROOT / "benches" / script), url]
    out = subprocess.run(command, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=True).stdout
    result = json.loads(re.search(r"RESULT (.*)", out)[1])
    result["rate"] = result["requests"] / result["micros"] * 1e6
    return result


class Machine:
    """The databases and the stand-in for WeChat, once for all."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.stub = Server("stub", [str(TARGET / "stub"), f"127.0.0.1:{(port := free_port())}"], port)
        self.databases = {}

    def database(self, kind):
        """A fresh one, its address as wxgate wants it, and the pids whose time counts as its own."""
        if kind == "sqlite":
            return f"sqlite://{tempfile.mkdtemp(dir=self.folder)}/bench.sqlite?mode=rwc", lambda: []
        address = os.environ["WXGATE_BENCH_POSTGRES" if kind == "postgres" else "WXGATE_BENCH_MYSQL"]
        name = f"bench{time.time_ns()}"
        base, last = address.rsplit("/", 1)
        if kind == "postgres":
            subprocess.run(["psql", "-q", address, "-c", f"CREATE DATABASE {name}"], check=True)
        else:
            port = re.search(r":(\d+)/", address)[1]
            subprocess.run(["mariadb", "-h127.0.0.1", f"-P{port}", "-uroot", "-e", f"CREATE DATABASE {name}"], check=True)
        pid = int(os.environ["WXGATE_BENCH_POSTGRES_PID" if kind == "postgres" else "WXGATE_BENCH_MYSQL_PID"])
        return f"{base}/{name}", lambda: children(pid)

    def stop(self):
        self.stub.stop()


def wxgate(machine, address, stub=None):
    folder = Path(tempfile.mkdtemp(dir=machine.folder))
    binary = os.environ.get("WXGATE_BENCH_BINARY", str(TARGET / "wxgate"))
    port, internal = free_port(), free_port()
    subprocess.run([binary, "init", "--dir", folder, "--issuer", "https://auth.example.com", "--appid", APP],
                   check=True, stdout=subprocess.DEVNULL)
    (folder / f"keys/{APP}.secret").write_text("s" * 32)
    environment = {
        "WXGATE_HTTP__LISTEN": f"127.0.0.1:{port}", "WXGATE_HTTP__INTERNAL_LISTEN": f"127.0.0.1:{internal}",
        "WXGATE_WECHAT__BASE_URL": (stub or machine.stub).url, "WXGATE_DATABASE__URL": address,
        "WXGATE_LOG__LEVEL": os.environ.get("WXGATE_BENCH_LOG", "warn"),
        "WXGATE_WECHAT__MAX_CONCURRENT": "1024", "WXGATE_WECHAT__MAX_WAITING": "4096",
        "WXGATE_LOG__AUDIT": "false",
    }
    environment.pop("WXGATE_LOG__AUDIT")
    environment.update(json.loads(os.environ.get("WXGATE_BENCH_ENV", "{}")))
    return Server("wxgate", [binary, "--config", str(folder / "wxgate.toml"), "serve"], port, environment)


def peer_key(machine):
    path = machine.folder / "peer.pem"
    if not path.exists():
        pem = subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
                             check=True, capture_output=True).stdout
        path.write_bytes(pem)
    return str(path)


def start(contender, machine, address, stub=None):
    if contender == "wxgate":
        return wxgate(machine, address, stub)
    port = free_port()
    wechat = (stub or machine.stub).url
    environment = {"ADDRESS": f"127.0.0.1:{port}", "PORT": str(port), "WECHAT": wechat, "DATABASE": address, "KEY": peer_key(machine)}
    if contender == "floor":
        return Server("floor", [str(TARGET / "floor")], port, environment)
    folder = TOOLS / contender
    if contender == "fastapi":
        command = [str(folder / "venv/bin/uvicorn"), "server:app", "--port", str(port), "--workers", "2", "--log-level", "warning",
                   "--app-dir", str(ROOT / "benches/peers/fastapi")]
        return Server(contender, command, port, environment)
    shutil.copy(ROOT / f"benches/peers/{contender}/server.mjs", folder / "server.mjs")
    return Server(contender, ["node", "server.mjs"], port, {**environment, "NODE_ENV": "production"}, folder)


def seed(machine, address, people=PEOPLE):
    """Everybody logs in once, through the gateway."""
    import concurrent.futures
    import http.client

    server = wxgate(machine, address)
    wait_ready(server)

    def some(part):
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        for number in part:
            connection.request("POST", "/v1/login", json.dumps({"code": f"p{number}.seed"}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, [range(first, people, 16) for first in range(16)]))
    server.stop()


def wait_ready(server):
    for _ in range(400):
        try:
            request = urllib.request.Request(f"{server.url}/v1/login", json.dumps({"code": "p0.warm" + str(time.time_ns())}).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{server.name} answers no login: see target/bench/{server.name}.log")


def measure(contender, machine, address, database_pids, connections=CONNECTIONS, seconds=SECONDS, first=False):
    server = start(contender, machine, address)
    wait_ready(server)
    idle = memory(server.pids())
    environment = {"PEOPLE": str(PEOPLE), "FIRST": "1" if first else "0"}
    wrk("login.lua", server.url, connections, 2, environment)
    pids, theirs = server.pids(), database_pids()
    before, base = cpu(pids), cpu(theirs)
    result = wrk("login.lua", server.url, connections, seconds, environment)
    result["cpu"] = (cpu(pids) - before) / result["requests"] * 1e6
    result["database_cpu"] = (cpu(theirs) - base) / result["requests"] * 1e6
    result["rss"], result["idle"] = memory(pids, "VmHWM"), idle
    server.stop()
    return result


def in_turns(contenders, machine, kind, first=False):
    address, database_pids = machine.database(kind)
    seed(machine, address)
    results = {name: [] for name in contenders}
    for turn in range(ROUNDS):
        for name in contenders if turn % 2 == 0 else list(reversed(contenders)):
            result = measure(name, machine, address, database_pids, first=first)
            if result["bad"]:
                print(f"  {name}: {result['bad']} requests were not answered well", file=sys.stderr)
            results[name].append(result)
            print(f"  {kind:9} {name:8} {result['rate']:9.0f}/s  p99 {result['p99'] / 1000:6.1f} ms  "
                  f"cpu {result['cpu']:5.0f} + {result['database_cpu']:4.0f} µs", flush=True)
    return {name: {field: statistics.median(each[field] for each in list_) for field in list_[0]} for name, list_ in results.items()}


def main():
    wanted = sys.argv[1:] or ["logins"]
    TOOLS.mkdir(parents=True, exist_ok=True)
    folder = tempfile.mkdtemp(prefix="wxgate-bench.", dir=os.environ.get("WXGATE_BENCH_FOLDER"))
    machine = Machine(folder)
    try:
        found = {}
        for kind in os.environ.get("KINDS", "postgres mysql sqlite").split():
            peers = ["express", "fastify", "fastapi"] if kind == "postgres" and "peers" in wanted else []
            found[kind] = in_turns(["floor", "wxgate", *peers], machine, kind)
        print(json.dumps(found, indent=1))
        (TOOLS / "results.json").write_text(json.dumps(found))
    finally:
        machine.stop()
        shutil.rmtree(folder, ignore_errors=True)


main()
