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


def write(found):
    processor = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    text = ["# What a login costs", "", "<!-- Made by scripts/bench -->", "",
            "Load generator, stand-in for WeChat, database and contender share the same cores, every commit is on the disk before its",
            "token is answered, and each figure is the median of rounds in which all took turns. Read the ratios; the absolute",
            "figures are this machine's.", "",
            f"{processor[1] if processor else platform.processor()}, {__import__('os').cpu_count()} cores, Linux {platform.release()}; "
            f"{said('rustc', '--version')}; {said('node', '--version')} (Node); Python {platform.python_version()}; "
            f"{said('mariadbd', '--version') or 'MariaDB'}; {said('psql', '--version')}", ""]
    if "logins" in found:
        text += ["## Returning logins, 32 connections", ""]
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
    if "bearer" in found:
        hello = found["bearer"]["hello"]
        rows = [[name, f"{rate:,.0f}", f"{rate / hello:.2f}"] for name, rate in found["bearer"].items()]
        text += ["## Checks of a bearer, and the published keys", "", table(["", "requests/s", "of axum's hello"], rows), ""]
    if "latency" in found:
        rows = [[NAMES.get(name, "the stand-in for WeChat alone"), f"{r['rate']:,.0f}", f"{r['p50'] / 1000:.1f}", f"{r['p99'] / 1000:.1f}", f"{r['added']:.1f}"]
                for name, r in found["latency"].items()]
        text += ["## With 80 ms at WeChat, 41 connections, PostgreSQL", "",
                 table(["", "logins/s", "p50 ms", "p99 ms", "added at p99, ms"], rows), ""]
    if "memory" in found:
        rows = [[name, f"{value:.2f}" if name.startswith("start") else f"{value:.0f} MiB"] for name, value in found["memory"].items()]
        text += ["## Memory and start", "", table(["", ""], rows + [["release binary", f"{found['size']:.1f} MiB"]]), ""]
    if "growth" in found:
        base = found["growth"][min(found["growth"], key=int)]["returning"]
        cost = lambda r: r["cpu"] + r["database_cpu"]
        rows = [[f"{int(people):,}", f"{r['returning']['rate']:,.0f}", f"{r['returning']['p99'] / 1000:.1f}", f"{cost(r['returning']):.0f}",
                 f"{cost(r['returning']) / cost(base):.2f}", f"{r['first']['rate']:,.0f}", f"{r['first']['p99'] / 1000:.1f}", f"{r['bytes']:.0f}",
                 f"{r['returning']['rss']:.0f}"] for people, r in found["growth"].items()]
        text += ["## How cost grows, PostgreSQL", "", table(
            ["people known", "returning/s", "p99 ms", "CPU µs, both", "of 10⁴'s", "first/s", "p99 ms", "bytes a user", "RSS MiB"], rows), ""]
    (HERE / "RESULTS.md").write_text("\n".join(text).rstrip() + "\n")
    print((HERE / "RESULTS.md").read_text())
