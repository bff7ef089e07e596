#!/usr/bin/env python3
"""What a compiler does not see: banned calls, documents that name what is not there, dead links, stray files.

    check_tree.py [--root DIR]

Exit 1 and one line a finding: file:line, what is wrong, and what to do instead.
"""

import argparse
import pathlib
import re
import subprocess
import sys

FILE_BYTES_MAX = 1_000_000
LIBRARY_FOLDERS_WITH_OUTPUT = ("app", "bench")  # the command line speaks to a terminal; libraries do not


class Banned:
    def __init__(self, pattern, instead, except_in=(), in_tests=True):
        self.pattern = re.compile(pattern)
        self.instead = instead
        self.except_in = except_in  # path prefixes under src/
        self.in_tests = in_tests


BANNED = [
    Banned(r"\bstd::w?regex\b", "a parser of its own: topics and input are never matched by expressions"),
    Banned(r"\b(strcpy|strcat|strncpy|strncat|stpcpy|gets)\s*\(", "std::string or std::string_view"),
    Banned(r"\bv?sprintf\s*\(", "std::to_chars, std::to_string or snprintf with the size"),
    Banned(r"(?<![\w:.>])(?:std::|::)?system\s*\(|\bpopen\s*\(", "no shell: call the library or spawn with an argument list"),
    Banned(r"(?<![\w.>])(?:std::)?s?rand\s*\(|\brand_r\s*\(|\bdrand48\b", "OpenSSL's RAND_bytes for secrets, <random> with a named seed else"),
    Banned(r"\b(gettimeofday|ftime)\s*\(|(?<![\w.>:])(?:std::)?time\s*\(\s*(?:NULL|nullptr|0|&)",
           "Clock from base/clock.h, handed in", ("base/clock", "bench/")),
    Banned(r"\b(system_clock|high_resolution_clock)::now\b", "Clock from base/clock.h, handed in", ("base/clock", "bench/")),
    Banned(r"\b(localtime|gmtime|asctime|ctime)(_r)?\s*\(", "base/time_text.h", ("base/time_text", "bench/")),
    Banned(r"\b(atoi|atol|atoll|atof)\s*\(", "std::from_chars, which can say no", in_tests=False),
    Banned(r"\bstd::(cout|cerr|clog)\b|(?<![\w.>:])(?:std::)?printf\s*\(", "log lines from base/log_line.h",
           (*(f + "/" for f in LIBRARY_FOLDERS_WITH_OUTPUT), "tests/conformance/"), in_tests=False),
    Banned(r"\bstd::this_thread::sleep_(for|until)\b|(?<![\w.>:])u?sleep\s*\(", "a deadline or ManualClock", ("app/", "bench/", "http/test_client", "http/server_test")),
    Banned(r"\bassert\s*\(", "MS_CHECK from base/check.h, which also holds in release builds"),
    Banned(r"\breinterpret_cast<\s*(?:const\s+)?(?:u?int(?:16|32|64)_t|float|double)\s*\*", "memcpy: alignment and aliasing"),
    Banned(r"\busing\s+namespace\s+std\s*;", "the names themselves"),
]
TEST_FILE = re.compile(r"_(test|bench|fuzz)\.cc$|^test_[a-z_]+\.h$")

MERGE_MARKER = re.compile(r"^(<{7} |={7}$|>{7} |\|{7} )")
MARKDOWN_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
QUOTED = re.compile(r"`([^`\n]+)`")
CONFIG_KEY = re.compile(r"^(server|log|auth|storage|ingest|influx|stream|presence)\.([a-z][a-z0-9_]*)$")
SOURCE_PATH = re.compile(
    r"^(?:src|tools|tests|docs|contract|web|bench|fuzz|cmake|examples|base|metrics|model|codec|log|history|rules|presence|hub"
    r"|auth|registry|ingest|net|influx|http|api|app)/[A-Za-z0-9_./-]+$")
CXX_NAME = re.compile(r"^(?:[a-z_]+::)*([A-Za-z_][A-Za-z0-9_]*)(?:::([A-Za-z_][A-Za-z0-9_]*))?\(\)$")
# Names in documents that are not of this tree.
FOREIGN_NAMES = {"send()", "sendmsg()", "fsync()", "poll()", "epoll_wait()", "fetch()"}


def tracked_files(root):
    """What git tracks or would track; without git, everything outside build and dependency folders."""
    listed = subprocess.run(["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            capture_output=True, check=False)
    if listed.returncode == 0:
        names = [name for name in listed.stdout.decode().split("\0") if name]
    else:
        skip = {"build", "node_modules", ".git", "dist"}
        names = [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and not skip & set(p.relative_to(root).parts)]
    return sorted(root / name for name in set(names) if (root / name).is_file())


def without_comments_and_strings(text):
    """The same lines with comments and literals blanked, so that only code is searched."""
    pattern = re.compile(
        r'R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'|//[^\n]*|/\*.*?\*/', re.S)

    def blank(match):
        found = match.group(0)
        if found.startswith("'") and match.start() and text[match.start() - 1].isalnum():
            return found  # a digit separator: 10'000
        return re.sub(r"[^\n]", " ", found)

    return pattern.sub(blank, text)


def check_banned(file, root):
    inside = str(file.relative_to(root / "src")) if file.is_relative_to(root / "src") else str(file.relative_to(root))
    is_test = bool(TEST_FILE.search(file.name))
    code = without_comments_and_strings(file.read_text(errors="replace"))
    for number, line in enumerate(code.splitlines(), 1):
        for rule in BANNED:
            if (is_test and not rule.in_tests) or any(inside.startswith(prefix) for prefix in rule.except_in):
                continue
            match = rule.pattern.search(line)
            if match:
                yield f"{file.relative_to(root)}:{number}: {match.group(0).strip()} is not used here; instead: {rule.instead}"


def check_header(file, root):
    text = file.read_text(errors="replace")
    relative = str(file.relative_to(root / "src"))
    if "#pragma once" not in text:
        yield f"{file.relative_to(root)}:1: no #pragma once"
    if not text.startswith(f"// {relative}: "):
        yield f"{file.relative_to(root)}:1: a header begins with \"// {relative}: what it is\""


def check_text(file, root):
    try:
        text = file.read_text()
    except UnicodeDecodeError:
        return
    for number, line in enumerate(text.splitlines(), 1):
        if MERGE_MARKER.match(line) and file.suffix != ".md":
            yield f"{file.relative_to(root)}:{number}: a merge marker"


def blank_code_blocks(text):
    return re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S | re.M)


def anchors(file):
    found = set()
    for line in blank_code_blocks(file.read_text()).splitlines():
        match = re.match(r"#+\s+(.*)", line)
        if match:
            slug = re.sub(r"[^\w\- ]", "", match.group(1).strip().lower()).replace(" ", "-")
            found.add(slug)
    return found


def check_links(file, root):
    text = blank_code_blocks(file.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        for match in MARKDOWN_LINK.finditer(line):
            target = match.group(1) or match.group(2)
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            goal = (file.parent / path).resolve() if path else file
            if not goal.exists():
                yield f"{file.relative_to(root)}:{number}: dead link {target}"
            elif anchor and goal.suffix == ".md" and anchor not in anchors(goal):
                yield f"{file.relative_to(root)}:{number}: {target}: no such heading there"


class Names:
    """What documents may name: config keys, paths and identifiers that exist."""

    def __init__(self, root):
        self.root = root
        sources = [p for p in (root / "src").rglob("*") if p.suffix in (".h", ".cc")]
        self.code = "\n".join(p.read_text(errors="replace") for p in sources)
        self.words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_]*", self.code))
        # Where the settings are named: the tables of src/app.
        tables = [p for p in sources if p.parent.name == "app" and p.suffix == ".cc" and not TEST_FILE.search(p.name)]
        self.config = "\n".join(p.read_text() for p in tables)

    def missing(self, quoted):
        key = CONFIG_KEY.match(quoted)
        if key:
            if f'"{quoted}"' not in self.config:
                return f"`{quoted}` is no setting in src/app"
            return None
        if SOURCE_PATH.match(quoted) and not quoted.endswith("/"):
            if "*" not in quoted and not self.path_exists(quoted):
                return f"`{quoted}`: no such file"
            return None
        name = CXX_NAME.match(quoted)
        if name and quoted not in FOREIGN_NAMES:
            for word in filter(None, name.groups()):
                if word not in self.words:
                    return f"`{quoted}`: nothing in src/ is called {word}"
        return None

    def path_exists(self, quoted):
        for base in (self.root, self.root / "src"):
            for suffix in ("", ".h", ".cc"):
                if (base / (quoted + suffix)).exists():
                    return True
        return bool(list((self.root / "src").glob(quoted + "*"))) if "/" in quoted else False


def check_names(file, root, names):
    text = blank_code_blocks(file.read_text())
    for number, line in enumerate(text.splitlines(), 1):
        for quoted in QUOTED.findall(line):
            problem = names.missing(quoted)
            if problem:
                yield f"{file.relative_to(root)}:{number}: {problem}"


def check_config_documented(root, names):
    """Every key that can be set is explained in docs/CONFIG.md."""
    document = root / "docs" / "CONFIG.md"
    if not document.exists():
        return
    text = document.read_text()
    for section, key in sorted(set(re.findall(r'"(server|log|auth|storage|ingest|influx|stream|presence)\.([a-z][a-z0-9_]*)"', names.config))):
        if f"`{section}.{key}`" not in text:
            yield f"docs/CONFIG.md: says nothing about `{section}.{key}`"


def findings(root):
    files = tracked_files(root)
    found = []
    names = Names(root)
    for file in files:
        relative = str(file.relative_to(root))
        if file.stat().st_size > FILE_BYTES_MAX:
            found.append(f"{relative}: {file.stat().st_size} bytes; files over {FILE_BYTES_MAX} do not belong into the tree")
        if file.suffix in (".h", ".cc"):
            found += check_banned(file, root)
        if file.suffix == ".h" and relative.startswith("src/"):
            found += check_header(file, root)
        if file.suffix == ".md":
            found += check_links(file, root)
            if file.name != "CHANGELOG.md":
                found += check_names(file, root, names)
        found += check_text(file, root)
    found += check_config_documented(root, names)
    return files, found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root.resolve()
    files, found = findings(root)
    for line in found:
        print(line)
    print(f"tree: {len(files)} files, {len(found)} findings")
    return 1 if found or not files else 0


if __name__ == "__main__":
    sys.exit(main())
