"""Writes benches/RESULTS.md and its plots from what run.py found."""

import platform
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAMES = {
    "floor": "the floor: axum + sqlx, one statement each", "wxgate": "**wxgate**", "express": "Express + axios + knex + jsonwebtoken",
    "fastify": "Fastify + undici + pg + jose, two processes", "fastapi": "FastAPI + httpx + SQLAlchemy + PyJWT, two workers",
}
KINDS = {"postgres": "PostgreSQL", "mysql": "MariaDB", "sqlite": "SQLite"}


def said(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].strip()
    except (IndexError, FileNotFoundError):
        return "?"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join(["---"] + ["--:"] * (len(head) - 1)) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def bars(path, title, unit, values):
    """A plot that needs nothing to be looked at: horizontal bars, readable on light and dark."""
    width, row, left = 760, 30, 300
    most = max(value for _, value in values) or 1
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {row * len(values) + 50}" font-family="sans-serif" font-size="13">',
             f'<rect width="{width}" height="{row * len(values) + 50}" rx="10" fill="#fff"/>',
             f'<text x="16" y="26" font-weight="600" fill="#17231d">{title}</text>']
    for at, (name, value) in enumerate(values):
        y = 42 + at * row
        length = (width - left - 110) * value / most
        colour = "#07a65a" if "wxgate" in name else "#b9c8c0"
        lines.append(f'<text x="{left - 10}" y="{y + 15}" text-anchor="end" fill="#3b4a43">{name.replace("**", "")}</text>')
        lines.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="20" rx="4" fill="{colour}"/>')
        lines.append(f'<text x="{left + length + 8:.1f}" y="{y + 15}" fill="#3b4a43">{value:,.0f} {unit}</text>')
    path.write_text("\n".join(lines) + "\n</svg>\n")


def lines(path, title, across, up, series):
    """Lines over a logarithmic axis, a colour each; wxgate's stands out."""
    import math

    width, height, left, bottom = 760, 360, 60, 46
    points = [point for list_ in series.values() for point in list_]
    low, high, most = min(x for x, _ in points), max(x for x, _ in points), max(y for _, y in points) * 1.08
    place = lambda x, y: (left + (width - left - 250) * math.log(x / low) / (math.log(high / low) or 1), height - bottom - (height - bottom - 46) * y / most)
    colours = iter(["#7b8f86", "#c98a2b", "#5673b8", "#a0567f", "#4f9aa8"])
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
           f'<rect width="{width}" height="{height}" rx="10" fill="#fff"/>', f'<text x="16" y="26" font-size="13" font-weight="600" fill="#17231d">{title}</text>']
    for step in range(5):
        y = place(low, most * step / 4)[1]
        out.append(f'<path d="M{left} {y:.1f}H{width - 240}" stroke="#e3e9e6"/><text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end" fill="#3b4a43">{most * step / 4:,.0f}</text>')
    for x in sorted({x for x, _ in points}):
        out.append(f'<text x="{place(x, 0)[0]:.1f}" y="{height - bottom + 18}" text-anchor="middle" fill="#3b4a43">{x:,}</text>')
    out.append(f'<text x="{width - 240}" y="{height - 8}" text-anchor="end" fill="#3b4a43">{across}; {up}</text>')
    for at, (name, list_) in enumerate(series.items()):
        ours = "wxgate" in name
        colour = "#07a65a" if ours else next(colours)
        places = [place(*point) for point in sorted(list_)]
        path_ = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        out.append(f'<path d="{path_}" fill="none" stroke="{colour}" stroke-width="{3 if ours else 1.5}"/>')
        out += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4 if ours else 3}" fill="{colour}"/>' for x, y in places]
        y = 60 + at * 20
        out.append(f'<path d="M{width - 226} {y - 4}h16" stroke="{colour}" stroke-width="3"/><text x="{width - 204}" y="{y}" fill="#3b4a43">{name.replace("**", "").split(":")[0][:32]}</text>')
    path.write_text("\n".join(out) + "\n</svg>\n")


def write(found):
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    text = ["# What a login costs", "", "<!-- Made by scripts/bench -->", "",
            "Load generator, stand-in for WeChat, database and contender share the same cores, and every commit is on the disk before",
            "its token is answered. Read the ratios; the absolute figures are this machine's. wxgate runs with its defaults but for",
            "`log.level = \"warn\"` (the peers log nothing; at `info` it writes two lines a login), and `wechat.max_concurrent = 1024`.",
            "Express is one process, Fastify and FastAPI two, wxgate and the floor a thread a core.", "",
            f"{processor[1] if processor else platform.processor()}, {__import__('os').cpu_count()} cores, Linux {platform.release()}; "
            f"{said('rustc', '--version')}; {said('node', '--version')} (Node); Python {platform.python_version()}; "
            f"{said('mariadbd', '--version') or 'MariaDB'}; {said('psql', '--version')}", ""]
    def head(title, part, how):
        told = found.get("told", {}).get(part, {})
        measured = f"Of commit {told['commit']}; {how.format(**told)}" if told else how.format(rounds="?", seconds="?")
        return [f"## {title}", "", measured, ""]

    turns = "the median of {rounds} rounds of {seconds} s, in which all took turns."
    if "logins" in found:
        text += head("Returning logins, 32 connections", "logins", turns)
        for kind, results in found["logins"].items():
            floor = results["floor"]["rate"]
            ours = results["wxgate"]["rate"]
            rows = [[NAMES[name], f"{r['rate']:,.0f}", f"{r['rate'] / floor:.2f}", f"{ours / r['rate']:.1f}", f"{r['p50'] / 1000:.1f}",
                     f"{r['p99'] / 1000:.1f}", f"{r['p999'] / 1000:.1f}", f"{r['cpu']:.0f}", f"{r['database_cpu']:.0f}", f"{r['rss']:.0f}"]
                    for name, r in results.items()]
            text += [f"### {KINDS[kind]}", "", table(
                ["", "logins/s", "of the floor", "wxgate is", "p50 ms", "p99 ms", "p99.9 ms", "CPU µs", "database CPU µs", "RSS MiB"], rows)]
            bars(HERE / f"logins-{kind}.svg", f"Logins a second, {KINDS[kind]}", "/s", [(NAMES[name], r["rate"]) for name, r in results.items()])
            text += [f"![Logins a second on {KINDS[kind]}](logins-{kind}.svg)", ""]
    if "firsts" in found:
        rows = [[KINDS[kind], f"{r['rate']:,.0f}", f"{r['p50'] / 1000:.1f}", f"{r['p99'] / 1000:.1f}", f"{r['cpu']:.0f}", f"{r['database_cpu']:.0f}"]
                for kind, results in found["firsts"].items() for r in [results["wxgate"]]]
        text += head("First logins, 32 connections", "firsts", "wxgate alone, the median of {rounds} rounds of {seconds} s.") + [
            table(["", "logins/s", "p50 ms", "p99 ms", "CPU µs", "database CPU µs"], rows), ""]
    if "fsync" in found:
        rows = [[f"{KINDS[kind]}, {NAMES[name]}", f"{r['rate']:,.0f}", f"{r['rate'] / results['floor']['rate']:.1f}", f"{r['p50'] / 1000:.1f}", f"{r['p99'] / 1000:.1f}"]
                for kind, results in found["fsync"].items() for name, r in results.items()]
        text += head("Returning logins on a disk whose fsync takes 1 ms longer", "fsync", "32 connections; " + turns) + [
            table(["", "logins/s", "of the floor", "p50 ms", "p99 ms"], rows), ""]
    if "bearer" in found:
        hello = found["bearer"]["hello"]
        rows = [[name, f"{rate:,.0f}", f"{rate / hello:.2f}"] for name, rate in found["bearer"].items()]
        text += head("Checks of a bearer, and the published keys", "bearer", turns) + [table(["", "requests/s", "of axum's hello"], rows), ""]
    if "latency" in found:
        text += head("With 80 ms at WeChat, PostgreSQL", "latency", "at the same load for all; " + turns)
        if "disk" in found:
            text += [f"A durable write of 8 KiB takes this disk {found['disk']['p50']:.1f} ms at the median and {found['disk']['p99']:.1f} ms at p99 when nothing",
                     "else is going on. A login waits for one, and for the rest of the one before it.", ""]
        shown = {name: NAMES.get(name, "the stand-in for WeChat alone") for each in found["latency"].values() for name in each}
        rows = [[shown[name], f"{load}", f"{r['rate']:,.0f}", f"{r['p50'] / 1000:.1f}", f"{r['p99'] / 1000:.1f}", f"{r['added']:.1f}"]
                for load, each in sorted(found["latency"].items(), key=lambda item: int(item[0])) for name, r in each.items()]
        text += [table(["", "offered/s", "logins/s", "p50 ms", "p99 ms", "added at p99, ms"], rows), ""]
        lines(HERE / "latency.svg", "p99 by load, 80 ms at WeChat", "logins/s", "ms",
              {shown[name]: [(int(load), each[name]["p99"] / 1000) for load, each in found["latency"].items() if name in each] for name in shown})
        text += ["![p99 by load](latency.svg)", ""]
    if "overload" in found:
        r = found["overload"]
        rows = [[name, f"{x['done']:,.0f}", f"{x['p50']:.0f}", f"{x['p99']:.0f}", f"{x['later']:,.0f}", f"{x['later_p99']:.0f}", f"{x['bad']}"]
                for name, x in [("half of it", r["quiet"]), ("twice that, a minute", r["double"]), ("half again", r["after"])]]
        text += head("More than can be served, PostgreSQL, 80 ms at WeChat", "overload", "{rounds} rounds, of which the one with the median goodput; times count from when a request was due; the gateway and its database have one half of the cores, the phones and WeChat the other.") + [
            f"It can do {r['capacity']:,.0f} logins a second. Offered twice that, it does {r['goodput']:.2f} of it (in the rounds {', '.join(f'{one:.2f}' for one in r.get('goodputs', [r['goodput']]))}), p99 {r['times']:.1f} times the quiet one's;",
            f"as before {r['recovered']} s after the end; memory {r['rss']:.0f} MiB at the most.", "",
            table(["offered", "done/s", "p50 ms", "p99 ms", "told later/s", "within, p99 ms", "neither"], rows), ""]
    if "memory" in found:
        shape = lambda name, value: f"{value:.2f}" if name.startswith("start") else f"{value:.0%}" if name.startswith("told") else f"{value:.0f} MiB"
        rows = [[name, shape(name, value)] for name, value in found["memory"].items()]
        text += head("Memory and start", "memory", "one run of {seconds} s each; the start is the median of five.") + [table(["", ""], rows + [["release binary", f"{found['size']:.1f} MiB"]]), ""]
    if "growth" in found:
        base = found["growth"][min(found["growth"], key=int)]["returning"]
        cost = lambda r: r["cpu"] + r["database_cpu"]
        rows = [[f"{int(people):,}", f"{r['returning']['rate']:,.0f}", f"{r['returning']['p99'] / 1000:.1f}", f"{cost(r['returning']):.0f}",
                 f"{cost(r['returning']) / cost(base):.2f}", f"{r['first']['rate']:,.0f}", f"{r['first']['p99'] / 1000:.1f}", f"{r['bytes']:.0f}",
                 f"{r['returning']['wal']:.0f}", f"{r['first']['wal']:.0f}", f"{r['returning']['rss']:.0f}"] for people, r in found["growth"].items()]
        text += head("How cost grows, PostgreSQL", "growth", "one run of {seconds} s each, after the tables were vacuumed.") + [table(
            ["people known", "returning/s", "p99 ms", "CPU µs, both", "of the smallest's", "first/s", "p99 ms", "bytes a user", "WAL a returning", "WAL a first", "RSS MiB"], rows), ""]
        lines(HERE / "growth.svg", "CPU of a login, gateway and database, by people known", "people", "µs",
              {"returning, wxgate": [(int(n), cost(r["returning"])) for n, r in found["growth"].items()],
               "first": [(int(n), cost(r["first"])) for n, r in found["growth"].items()]})
        text += ["![Cost by number of people](growth.svg)", ""]
    (HERE / "RESULTS.md").write_text("\n".join(text).rstrip() + "\n")
    print((HERE / "RESULTS.md").read_text())
