"""Measures logins, side by side and in turns, and writes benches/RESULTS.md. Run by scripts/bench.

Each contender runs alone with the stand-in for WeChat, the database and the load generator on the same machine. A round
measures every contender once, in an order that changes; the table has the medians of the rounds.
"""

import json
import os
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
    try:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            found += children(int(child))
    except FileNotFoundError:
        pass  # It has ended meanwhile.
    return found


def cpu(pids):
    """Seconds of user and system time."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


def memory(pids, name="VmRSS"):
    """MiB. The most of one process (VmHWM) as the kernel noted it; of several what they hold now, shared pages once (PSS)."""
    total, where = 0, "status"
    if len(pids) > 1:
        name, where = "Pss", "smaps_rollup"
    for pid in pids:
        try:
            total += int(re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/{where}").read_text(), re.M)[1])
        except (FileNotFoundError, ProcessLookupError, TypeError):
            continue
    return total / 1024


class Server:
    """A process that listens."""

    def __init__(self, name, command, port, environment=None, folder=None):
        self.name, self.port = name, port
        self.log = open(TOOLS / f"{name}.log", "w")
        if "WXGATE_BENCH_PRELOAD" in os.environ:
            # SQLite syncs in the contender itself.
            environment = {**(environment or {}), "LD_PRELOAD": os.environ["WXGATE_BENCH_PRELOAD"]}
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


def wrk(script, url, connections=CONNECTIONS, seconds=SECONDS, environment=None, bad=1 / 1000):
    """`bad`: such a share of other answers than 2xx is still a result."""
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(ROOT / "benches" / script), url]
    environment = {**os.environ, "BENCHES": str(ROOT / "benches"), **(environment or {})}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    result = json.loads(re.search(r"RESULT (.*)", out)[1])
    if result["bad"] > result["requests"] * bad:
        raise SystemExit(f"{url}: {result['bad']} of {result['requests']} requests were not answered well: see target/bench/*.log")
    result["rate"] = result["requests"] / result["micros"] * 1e6
    return result


class Machine:
    """The databases and the stand-in for WeChat, once for all."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.stub = Server("stub", [str(TARGET / "stub"), f"127.0.0.1:{(port := free_port())}"], port)

    def database(self, kind):
        """A fresh one, its address as wxgate wants it, and the pids whose time counts as its own."""
        if kind == "sqlite":
            return f"sqlite://{tempfile.mkdtemp(dir=self.folder)}/bench.sqlite?mode=rwc", lambda: []
        address = os.environ["WXGATE_TEST_POSTGRES" if kind == "postgres" else "WXGATE_TEST_MYSQL"]
        name = f"bench{time.time_ns()}"
        base, last = address.rsplit("/", 1)
        if kind == "postgres":
            subprocess.run(["psql", "-q", address, "-c", f"CREATE DATABASE {name}"], check=True)
        else:
            port = re.search(r":(\d+)/", address)[1]
            subprocess.run(["mariadb", "-h127.0.0.1", f"-P{port}", "-uroot", "-e", f"CREATE DATABASE {name}"], check=True)
        pid = int(os.environ["WXGATE_TEST_POSTGRES_PID" if kind == "postgres" else "WXGATE_TEST_MYSQL_PID"])
        return f"{base}/{name}", lambda: children(pid)

    def stop(self):
        self.stub.stop()


def binary():
    return os.environ.get("WXGATE_BENCH_BINARY", str(TARGET / "wxgate"))


def initialized(machine):
    folder = Path(tempfile.mkdtemp(dir=machine.folder))
    subprocess.run([binary(), "init", "--dir", folder, "--issuer", "https://auth.example.com", "--appid", APP],
                   check=True, stdout=subprocess.DEVNULL)
    (folder / f"keys/{APP}.secret").write_text("s" * 32)
    return folder


def wxgate(machine, address, stub=None, folder=None):
    folder = folder or initialized(machine)
    port, internal = free_port(), free_port()
    environment = {
        "WXGATE_HTTP__LISTEN": f"127.0.0.1:{port}", "WXGATE_HTTP__INTERNAL_LISTEN": f"127.0.0.1:{internal}",
        "WXGATE_WECHAT__BASE_URL": (stub or machine.stub).url, "WXGATE_DATABASE__URL": address,
        "WXGATE_LOG__LEVEL": os.environ.get("WXGATE_BENCH_LOG", "warn"),
        "WXGATE_WECHAT__MAX_CONCURRENT": "1024", "WXGATE_WECHAT__MAX_WAITING": "4096",
    }
    environment.update(json.loads(os.environ.get("WXGATE_BENCH_ENV", "{}")))
    return Server("wxgate", [binary(), "--config", str(folder / "wxgate.toml"), "serve"], port, environment)


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
            connection.request("POST", "/v1/login", json.dumps({"code": f"p{number}-seed"}), {"Content-Type": "application/json"})
            answer = connection.getresponse()
            body = answer.read()
            assert answer.status == 200, body

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(some, [range(first, people, 16) for first in range(16)]))
    server.stop()


def wait_ready(server):
    for _ in range(400):
        try:
            request = urllib.request.Request(f"{server.url}/v1/login", json.dumps({"code": "p0-warm" + str(time.time_ns())}).encode(),
                                             {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            time.sleep(0.02)
    raise SystemExit(f"{server.name} answers no login: see target/bench/{server.name}.log")


def measure(contender, machine, address, database_pids, first=False, connections=CONNECTIONS, seconds=SECONDS):
    server = start(contender, machine, address)
    wait_ready(server)
    idle = memory(server.pids())
    environment = {"PEOPLE": str(PEOPLE), "FIRST": "1" if first else "0", "PREFIX": "f" if first else "p"}
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
            result = measure(name, machine, address, database_pids, first)
            results[name].append(result)
            print(f"  {kind:9} {name:8} {result['rate']:9.0f}/s  p99 {result['p99'] / 1000:6.1f} ms  "
                  f"cpu {result['cpu']:5.0f} + {result['database_cpu']:4.0f} µs", flush=True)
    return {name: {field: statistics.median(each[field] for each in list_) for field in list_[0]} for name, list_ in results.items()}


def bearer(machine):
    """Checks of a bearer and the published keys, as shares of axum's hello."""
    address, _ = machine.database("sqlite")
    server = wxgate(machine, address)
    wait_ready(server)
    request = urllib.request.Request(f"{server.url}/v1/login", b'{"code":"p1-bearer"}', {"Content-Type": "application/json"})
    token = json.load(urllib.request.urlopen(request))["token"]
    bare = start("floor", machine, address)
    places = {"hello": (f"{bare.url}/hello", {}), "authz": (f"{server.url}/authz", {"TOKEN": token}),
              "jwks": (f"{server.url}/.well-known/jwks.json", {}), "me": (f"{server.url}/v1/me", {"TOKEN": token})}
    rates = {name: [] for name in places}
    for _ in range(ROUNDS):
        for name, (url, environment) in places.items():
            rates[name].append(wrk("get.lua", url, seconds=SECONDS, environment=environment)["rate"])
    server.stop()
    bare.stop()
    found = {name: statistics.median(list_) for name, list_ in rates.items()}
    print("  " + "  ".join(f"{name} {rate:.0f}/s" for name, rate in found.items()), flush=True)
    return found


def latency(machine, contenders):
    """With 80 ms at WeChat: what each adds at p99, at the same loads for all. The first is the load that is promised."""
    address, _ = machine.database("postgres")
    seed(machine, address)
    port = free_port()
    far = Server("far", [str(TARGET / "stub"), f"127.0.0.1:{port}", "80"], port)
    found = {}
    for load in [int(load) for load in os.environ.get("LOADS", "500 100 200 1000 1500").split()]:
        # Enough that a request's turn always finds one that is free.
        connections = max(64, load * 256 // 1000)
        rounds = {name: [] for name in ["wechat", *contenders]}
        for turn in range(ROUNDS):
            for name in rounds if turn % 2 == 0 else reversed(rounds):
                environment = {"PEOPLE": str(PEOPLE), "LOAD": str(load)}
                if name == "wechat":
                    result = wrk("get.lua", f"{far.url}/sns/jscode2session?js_code=p1-1", connections, environment=environment)
                else:
                    server = start(name, machine, address, far)
                    wait_ready(server)
                    wrk("login.lua", server.url, connections, 2, environment)
                    result = wrk("login.lua", server.url, connections, environment=environment)
                    server.stop()
                rounds[name].append(result)
        each = {name: {field: statistics.median(result[field] for result in results) for field in results[0]}
                for name, results in rounds.items()}
        for name, result in each.items():
            result["added"] = (result["p99"] - each["wechat"]["p99"]) / 1000
            print(f"  {load:5}/s {name:8} {result['rate']:5.0f}/s  p50 {result['p50'] / 1000:6.1f}  p99 {result['p99'] / 1000:6.1f} ms",
                  flush=True)
        found[load] = each
    far.stop()
    return found


def pinned(pids, cores):
    for pid in pids:
        try:
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), cores)
        except (FileNotFoundError, ProcessLookupError):
            pass  # It has ended meanwhile.


def overload(machine):
    """Twice of what it can do, for a minute, with 80 ms at WeChat: what is still done, how long that takes, and how soon it is over.

    The gateway and its database have half of the cores, the world outside, the phones' and WeChat's, has the other: asking twice as
    often costs whoever asks, and that is no part of what the gateway can do."""
    address, database_pids = machine.database("postgres")
    seed(machine, address)
    every = sorted(os.sched_getaffinity(0))
    inside, outside = set(every[: len(every) // 2]) or set(every), set(every[len(every) // 2 :])
    port = free_port()
    far = Server("far", [str(TARGET / "stub"), f"127.0.0.1:{port}", "80"], port)
    pinned(far.pids(), outside)
    pinned(database_pids(), inside)
    # What is started from here on inherits it.
    os.sched_setaffinity(0, inside)
    server = start("wxgate", machine, address, far)
    os.sched_setaffinity(0, outside)
    wait_ready(server)

    def storm(*phases):
        # It never sleeps: WeChat's half of the same core comes first.
        command = ["chrt", "--idle", "0", str(TARGET / "storm"), f"127.0.0.1:{server.port}", "3000", str(PEOPLE), *phases]
        return [json.loads(line) for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()]

    def can(rate):
        """What it can do: rising rates that don't wait for the answers find the most, and that is then kept up for a while, as a short
        span may be the machine's best. Who asks again at once, as a load generator without a rate does, would be the overload
        itself. Before and after, because the machine's own speed changes."""
        most = short = 0
        # One bad span of the machine's isn't the end.
        while short < 2:
            done = storm(f"{rate:.0f}:5")[0]["done"]
            most = max(most, done)
            short = short + 1 if done < 0.9 * rate else 0
            rate *= 1.1
        return storm(f"{most:.0f}:20")[0]["done"]

    # Warm: what it can do in its first half minute is less.
    storm("500:3", "2000:20")
    rounds, before = [], can(float(os.environ.get("RATE", "1500")))
    for _ in range(ROUNDS):
        quiet, double, after = storm(f"{before / 2:.0f}:20", f"{before * 2:.0f}:60", f"{before / 2:.0f}:10")
        then = can(0.8 * before)
        capacity = (before + then) / 2
        as_before = (i for i, x in enumerate(after["seconds"]) if x["later"] == 0 and x["p99"] < 1.5 * quiet["p99"])
        row = {"capacity": capacity, "quiet": quiet, "double": double, "after": after, "rss": memory(server.pids(), "VmHWM"),
               "goodput": double["done"] / capacity, "times": double["p99"] / quiet["p99"], "recovered": next(as_before, None)}
        print(f"  capacity {before:.0f}/s before, {then:.0f}/s after; {before * 2:.0f}/s offered: {double['done']:.0f}/s done "
              f"({row['goodput']:.2f}), p99 {double['p99']:.0f} ms ({row['times']:.1f} × quiet's {quiet['p99']:.0f}), {double['later']:.0f}/s "
              f"told later within {double['later_p99']:.0f} ms, {double['bad']} otherwise; RSS {row['rss']:.0f} MiB; as before after "
              f"{row['recovered']} s", flush=True)
        rounds.append(row)
        before = then
    row = sorted(rounds, key=lambda row: row["goodput"])[len(rounds) // 2]
    row["goodputs"] = [one["goodput"] for one in rounds]
    server.stop()
    far.stop()
    pinned(database_pids(), set(every))
    os.sched_setaffinity(0, every)
    return row


def memories(machine):
    """MiB: idle, at 64 connections, at 1,024 with 50 ms at WeChat. And how long until it answers."""
    address, _ = machine.database("postgres")
    seed(machine, address)
    port = free_port()
    slow = Server("slow", [str(TARGET / "stub"), f"127.0.0.1:{port}", "50"], port)
    found = {}
    for name, stub, connections in [("64 connections", machine.stub, 64), ("1,024 connections, 50 ms", slow, 1024)]:
        server = wxgate(machine, address, stub)
        wait_ready(server)
        found.setdefault("idle", memory(server.pids()))
        # As many as ask again at once are a queue, so that some are told to come again: they are connections as well.
        result = wrk("login.lua", server.url, connections, environment={"PEOPLE": str(PEOPLE)}, bad=1 if connections > 64 else 1 / 1000)
        found[name] = memory(server.pids(), "VmHWM")
        if connections > 64:
            found["told to come again, of these"] = result["bad"] / result["requests"]
        server.stop()
    slow.stop()
    starts = []
    folder = initialized(machine)
    for _ in range(5):
        begun = time.perf_counter()
        # Server waits for the port, which opens before the keys are tested and the database is there.
        server = wxgate(machine, address, folder=folder)
        wait_ready(server)
        starts.append(time.perf_counter() - begun)
        server.stop()
    found["start, s"] = statistics.median(starts)
    print("  " + "  ".join(f"{name}: {value:.2f}" for name, value in found.items()), flush=True)
    return found


PEOPLE_SQL = """
INSERT INTO users (id, nickname, avatar_url, gender, country, province, city, language, level, status, created_at, updated_at)
SELECT {id}, '', '', 0, '', '', '', '', 0, 0, 1793500000000, 1793500000000 FROM generate_series({first}, {last}) n;
INSERT INTO identities (id, user_id, slot, appid, openid, session_key, session_key_tag, session_key_at, last_login_at, last_login_ip,
  login_count, created_at)
SELECT {id}, {id}, 0, '{app}', {openid}, decode(repeat('ab', 56), 'hex'), decode(repeat('cd', 16), 'hex'), 1793500000000, 1793500000000,
  '127.0.0.1', 1, 1793500000000 FROM generate_series({first}, {last}) n,
  LATERAL (SELECT (n::numeric * 11400714819323198485) % 18446744073709551616 AS m) mixed;
"""
IDS = """(lpad(to_hex(1793500000000 + n), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 3)
  || substr(md5(n::text), 7, 12))::uuid"""

# As the stand-in for WeChat makes it of `p` and the number.
OPENID = """'o' || lpad(to_hex((m - CASE WHEN m >= 9223372036854775808 THEN 18446744073709551616 ELSE 0 END)::bigint), 16, '0')
  || lpad('p' || n, 11, '-')"""


def growth(machine):
    """Returning and first logins where so many people are known, on PostgreSQL."""
    address, database_pids = machine.database("postgres")
    seed(machine, address, 1)
    known, found = 1, {}

    def asked(sql):
        return int(subprocess.run(["psql", "-qtA", address, "-c", sql], check=True, capture_output=True, text=True).stdout)

    # Updates that touch no index, of a hundred: PostgreSQL's HOT.
    hot = "SELECT coalesce(100 * sum(n_tup_hot_upd) / nullif(sum(n_tup_upd), 0), 0)::int FROM pg_stat_user_tables WHERE relname = 'identities'"
    tables = "SELECT pg_total_relation_size('users') + pg_total_relation_size('identities')"
    empty = asked(tables)
    for people in [int(size) for size in os.environ.get("SIZES", "10000 100000 1000000 10000000").split()]:
        begun = time.time()
        while known < people:
            last = min(people, known + 1_000_000) - 1
            sql = PEOPLE_SQL.format(id=IDS, openid=OPENID, first=known, last=last, app=APP)
            subprocess.run(["psql", "-q", "-v", "ON_ERROR_STOP=1", address, "-c", sql], check=True)
            known = last + 1
        subprocess.run(["psql", "-q", address, "-c", "VACUUM ANALYZE"], check=True)
        subprocess.run(["psql", "-q", address, "-c", "CHECKPOINT"], check=True)
        seeded = time.time() - begun
        row = {"bytes": (asked(tables) - empty) / asked("SELECT count(*) FROM users"), "seeding": seeded}
        for kind, first in [("returning", False), ("first", True)]:
            server = wxgate(machine, address)
            wait_ready(server)
            environment = {"PEOPLE": str(people), "FIRST": "1" if first else "0", "PREFIX": f"f{people}x" if first else "p"}
            wrk("login.lua", server.url, seconds=3, environment=environment)
            before, wal = (cpu(server.pids()), cpu(database_pids())), asked("SELECT (pg_current_wal_lsn() - '0/0')::bigint")
            result = wrk("login.lua", server.url, seconds=SECONDS, environment=environment)
            result["wal"] = (asked("SELECT (pg_current_wal_lsn() - '0/0')::bigint") - wal) / result["requests"]
            result["cpu"] = (cpu(server.pids()) - before[0]) / result["requests"] * 1e6
            result["database_cpu"] = (cpu(database_pids()) - before[1]) / result["requests"] * 1e6
            result["rss"] = memory(server.pids(), "VmHWM")
            server.stop()
            row[kind] = result
        row["hot"] = asked(hot)
        found[people] = row
        print(f"  {people:>9,}: returning {row['returning']['rate']:.0f}/s p99 {row['returning']['p99'] / 1000:.1f} ms "
              f"db {row['returning']['database_cpu']:.0f} µs; first {row['first']['rate']:.0f}/s; {row['bytes']:.0f} bytes a user; "
              f"WAL {row['returning']['wal']:.0f} and {row['first']['wal']:.0f} bytes a login, HOT {row['hot']} %; "
              f"seeded in {seeded:.0f} s", flush=True)
    return found


def disk(folder):
    """What a durable write of 8 KiB takes here when nothing else is going on, in ms: no login can take less."""
    file = os.open(Path(folder) / "disk", os.O_CREAT | os.O_WRONLY)
    os.write(file, bytes(16 << 20))
    os.fsync(file)
    os.lseek(file, 0, os.SEEK_SET)
    spans = []
    for _ in range(1500):
        os.write(file, bytes(8192))
        begun = time.perf_counter()
        os.fdatasync(file)
        spans.append((time.perf_counter() - begun) * 1000)
        time.sleep(0.002)
    os.close(file)
    spans.sort()
    return {"p50": spans[750], "p99": spans[1485]}


def main():
    wanted = sys.argv[1:] or ["logins"]
    TOOLS.mkdir(parents=True, exist_ok=True)
    path = TOOLS / "results.json"
    # Parts that weren't asked for keep what an earlier run found.
    found = json.loads(path.read_text()) if path.exists() else {}
    folder = tempfile.mkdtemp(prefix="wxgate-bench.", dir=os.environ.get("WXGATE_BENCH_FOLDER", TOOLS))
    if subprocess.run(["stat", "-fc", "%T", folder], capture_output=True, text=True).stdout.strip() in ("tmpfs", "ramfs"):
        raise SystemExit(f"{folder} is in memory, where nothing is durable: name a folder on a disk by WXGATE_BENCH_FOLDER")
    machine = Machine(folder)
    peers = ["express", "fastify", "fastapi"] if "peers" in wanted else []
    kinds = os.environ.get("KINDS", "postgres mysql sqlite").split()

    def by_kind(contenders, **more):
        return {kind: in_turns(contenders(kind), machine, kind, **more) for kind in kinds}

    parts = {
        "logins": lambda: by_kind(lambda kind: ["floor", "wxgate", *(peers if kind == "postgres" else [])]),
        "firsts": lambda: by_kind(lambda _: ["wxgate"], first=True),
        "fsync": lambda: by_kind(lambda _: ["floor", "wxgate"]),
        "bearer": lambda: bearer(machine),
        "disk": lambda: disk(folder),
        "latency": lambda: latency(machine, ["floor", "wxgate", *peers]),
        "overload": lambda: overload(machine),
        "memory": lambda: memories(machine),
        "growth": lambda: growth(machine),
    }
    if "latency" in wanted:
        wanted.append("disk")
    head = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    told = {"commit": subprocess.run(head, capture_output=True, text=True).stdout.strip(), "rounds": ROUNDS, "seconds": SECONDS}
    try:
        for part, measured in parts.items():
            if part in wanted:
                found[part] = measured()
                found.setdefault("told", {})[part] = told
                found["size"] = Path(binary()).stat().st_size / 1024 / 1024
                # At once: what comes after it may go wrong.
                path.write_text(json.dumps(found))
    finally:
        machine.stop()
        shutil.rmtree(folder, ignore_errors=True)
    import report

    report.write(found)


main()
