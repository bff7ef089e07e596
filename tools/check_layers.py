#!/usr/bin/env python3
"""Who may include whom: checks every #include "..." under src/ against tools/layers.txt.

    check_layers.py [--root DIR]

Exit 1 and one line a violation: file:line, what is included, and the rule that forbids it.
"""

import argparse
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
TEST_CODE = re.compile(r"_(test|bench|fuzz)\.cc$|_(test|bench|fuzz)_[a-z0-9_]*\.h$|(^|/)testing\.h$")


def read_table(path):
    """folder -> folders it may include; the key "tests" is what test code may include besides."""
    table = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        folder, colon, allowed = line.partition(":")
        if not colon or folder.strip() in table:
            sys.exit(f"{path}:{number}: expected one line a folder, \"folder: folders it may include\"")
        table[folder.strip()] = allowed.split()
    return table


def check_table(table, src):
    known = set(table) - {"tests"}
    for folder, allowed in table.items():
        for name in allowed:
            if name not in known:
                yield f"tools/layers.txt: {folder} may include {name}, but {name} has no line of its own"
    for folder in sorted(p.name for p in src.iterdir() if p.is_dir()):
        if folder not in known:
            yield f"src/{folder}: has no line in tools/layers.txt"
    yield from cycles({folder: allowed for folder, allowed in table.items() if folder != "tests"})


def cycles(table):
    done, path = set(), []

    def visit(folder):
        if folder in path:
            yield "tools/layers.txt: a circle: " + " -> ".join(path[path.index(folder):] + [folder])
            return
        if folder in done:
            return
        path.append(folder)
        for name in table.get(folder, []):
            yield from visit(name)
        path.pop()
        done.add(folder)

    for folder in table:
        yield from visit(folder)


def check_file(file, root, table):
    src = root / "src"
    folder = file.relative_to(src).parts[0]
    if folder not in table:
        return
    allowed = set(table[folder]) | {folder}
    if TEST_CODE.search(file.name):
        allowed |= set(table.get("tests", []))
    for number, line in enumerate(file.read_text(errors="replace").splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        where = f"{file.relative_to(root)}:{number}"
        included = match.group(1)
        parts = included.split("/")
        if len(parts) < 2 or ".." in parts:
            yield f"{where}: includes \"{included}\"; write the path from src/, as in \"{folder}/{parts[-1]}\""
        elif not (src / included).exists():
            yield f"{where}: includes \"{included}\", and there is no such file under src/"
        elif parts[0] not in allowed:
            may = " ".join(table[folder]) or "nothing of ours"
            yield f"{where}: {folder} may not include {parts[0]} (\"{included}\"); tools/layers.txt lets it include: {may}"


def violations(root):
    table = read_table(root / "tools" / "layers.txt")
    found = list(check_table(table, root / "src"))
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in (".h", ".cc"))
    for file in files:
        if len(file.relative_to(root / "src").parts) > 1:
            found += check_file(file, root, table)
    return files, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    files, found = violations(root)
    for line in found:
        print(line)
    print(f"layers: {len(files)} files, {len(found)} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
