#!/usr/bin/env python3
"""Turns the built page into one C++ file: every file gzip-compressed, as bytes of a string.

usage: embed.py DIST OUT.cc     (DIST "-": no page)
The same input gives the same output.
"""
import gzip
import pathlib
import sys

CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".json": "application/json",
    ".woff2": "font/woff2",
}


def main() -> int:
    dist, out = sys.argv[1:3]
    files = [] if dist == "-" else sorted(p for p in pathlib.Path(dist).rglob("*") if p.is_file())
    if dist != "-" and not files:
        print(f"embed.py: nothing in {dist}", file=sys.stderr)
        return 1
    rows, blobs = [], []
    for i, path in enumerate(files):
        name = "/" + path.relative_to(dist).as_posix()
        if path.suffix not in CONTENT_TYPES:
            print(f"embed.py: no content type for {name}", file=sys.stderr)
            return 1
        data = gzip.compress(path.read_bytes(), 9, mtime=0)
        numbers = ",".join(map(str, data))
        blobs.append(f"constexpr unsigned char kFile{i}[] = {{{numbers}}};")
        immutable = "true" if name.startswith("/assets/") else "false"
        rows.append(
            f'    {{"{name}", "{CONTENT_TYPES[path.suffix]}", '
            f"{{reinterpret_cast<const char*>(kFile{i}), sizeof kFile{i}}}, {immutable}}},"
        )
    table = "const http::StaticFile kFiles[] = {\n" + "\n".join(rows) + "\n};\n" if rows else ""
    answer = "kFiles" if rows else "{}"
    text = (
        '#include "app/page.h"\n\nnamespace millstream::app {\nnamespace {\n\n'
        + "\n".join(blobs) + "\n\n" + table
        + "\n}  // namespace\n\nstd::span<const http::StaticFile> page_files() { return " + answer + "; }\n\n}  // namespace millstream::app\n"
    )
    pathlib.Path(out).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
