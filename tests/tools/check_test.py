#!/usr/bin/env python3
"""The code checks themselves: each must find what it is there for, and leave good code alone."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402
import check_tree  # noqa: E402

TABLE = "base:\nmodel: base\nlog: base model\nhub: base model\napp: base model log hub\ntests: log\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory()
        self.addCleanup(self.temp.cleanup)
        self.root = pathlib.Path(self.temp.name)
        self.write("tools/layers.txt", TABLE)
        for folder in ("base", "model", "log", "hub", "app"):
            self.write(f"src/{folder}/{folder}.h", f"// {folder}/{folder}.h: a part.\n#pragma once\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    def layers(self):
        return check_layers.violations(self.root)[1]

    def tree(self):
        return check_tree.findings(self.root)[1]

    def assert_one(self, found, *words):
        self.assertEqual(len(found), 1, found)
        for word in words:
            self.assertIn(word, found[0])


class Layers(Tree):
    def test_a_clean_tree_passes(self):
        self.write("src/app/main.cc", '#include "app/app.h"\n#include "hub/hub.h"\n#include <vector>\n')
        self.assertEqual(self.layers(), [])

    def test_a_folder_that_may_not_be_included_is_named_with_file_and_line(self):
        self.write("src/hub/index.cc", '#include "base/base.h"\n\n#include "log/log.h"\n')
        self.assert_one(self.layers(), "src/hub/index.cc:3", "hub may not include log", "base model")

    def test_tests_and_benches_may_include_what_the_tests_line_names(self):
        self.write("src/hub/index_test.cc", '#include "log/log.h"\n')
        self.write("src/hub/index_bench.cc", '#include "log/log.h"\n')
        self.assertEqual(self.layers(), [])
        self.write("src/hub/other_test.cc", '#include "app/app.h"\n')
        self.assert_one(self.layers(), "src/hub/other_test.cc:1", "app")

    def test_a_path_that_climbs_or_has_no_folder_is_refused(self):
        self.write("src/hub/a.cc", '#include "../log/log.h"\n')
        self.write("src/hub/b.cc", '#include "hub.h"\n')
        self.assertEqual(len(self.layers()), 2)

    def test_a_folder_without_a_line_is_named(self):
        self.write("src/extra/extra.h", "// extra/extra.h: x\n#pragma once\n")
        self.assert_one(self.layers(), "src/extra")

    def test_a_circle_in_the_table_is_named(self):
        self.write("tools/layers.txt", TABLE.replace("base:", "base: hub"))
        self.assertTrue(any("a circle" in line for line in self.layers()))


class Banned(Tree):
    def test_each_banned_call_is_found(self):
        for call in ("std::regex r;", "strcpy(a, b);", "sprintf(a, b);", "system(x);", "std::system(x);", "int i = rand();",
                     "srand(1);", "gettimeofday(&t, nullptr);", "auto t = time(nullptr);",
                     "auto t = std::chrono::system_clock::now();", "localtime_r(&t, &tm);", "std::cout << 1;",
                     "printf(x);", "sleep(1);", "assert(x);", "int n = atoi(s);", "using namespace std;"):
            with self.subTest(call=call):
                self.write("src/hub/x.cc", f"void f() {{\n  {call}\n}}\n")
                self.assert_one(self.tree(), "src/hub/x.cc:2", "instead: ")

    def test_look_alikes_and_text_are_left_alone(self):
        self.write("src/hub/x.cc", """// printf( and std::regex in a comment, and rand()
/* system("x") */
const char* text = "strcpy(a, b)";
const char* raw = R"(sprintf(x) " assert(y))";
int big = 10'000 + 'x';
void f() { snprintf(b, 1, "x"); static_assert(true); fprintf(stderr, "x"); operand(); event_system(1); it.time(0); }
""")
        self.assertEqual(self.tree(), [])

    def test_what_one_place_may_do_is_not_found_there(self):
        self.write("src/base/clock.cc", "auto t = std::chrono::system_clock::now();\n")
        self.write("src/app/main.cc", 'void f() { std::printf("x"); }\n')
        self.assertEqual(self.tree(), [])

    def test_a_header_without_guard_or_first_line_is_named(self):
        self.write("src/hub/bare.h", "int x;\n")
        self.assertEqual(len(self.tree()), 2)


class Documents(Tree):
    def test_dead_links_and_headings_are_named(self):
        self.write("docs/other.md", "# One thing\n")
        self.write("README.md", "[good](docs/other.md#one-thing) [web](https://example.org)\n[dead](docs/none.md)\n"
                                "[no heading](docs/other.md#two)\n![no picture](docs/none.png)\n")
        found = self.tree()
        self.assertEqual(len(found), 3, found)
        self.assertIn("README.md:2", found[0])
        self.assertIn("README.md:3", found[1])

    def test_names_that_do_not_exist_are_named(self):
        self.write("src/app/config.cc", 'const char* k = "server.listen";\n')
        self.write("src/hub/x.cc", "void deliver_now() {}\n")
        self.write("README.md", "`server.listen` `hub/hub.h` `src/hub` `deliver_now()` `fsync()`\n"
                                "`server.lisen`\n`hub/none.h`\n`deliver_later()`\n```\n`server.other`\n```\n")
        self.assertEqual([line.split(" ")[0] for line in self.tree()], ["README.md:2:", "README.md:3:", "README.md:4:"])

    def test_a_key_the_configuration_document_leaves_out_is_named(self):
        self.write("src/app/config.cc", 'f("server.listen"); f("server.drain");\n')
        self.write("docs/CONFIG.md", "`server.listen` where to listen\n")
        self.assert_one(self.tree(), "docs/CONFIG.md", "server.drain")


class Files(Tree):
    def test_a_large_file_and_a_merge_marker_are_named(self):
        self.write("data.bin", b"\xff" * 1_000_001)
        self.write("src/hub/x.cc", "<<<<<<< mine\nint a;\n=======\nint b;\n>>>>>>> theirs\n")
        found = self.tree()
        self.assertEqual(len(found), 4, found)


if __name__ == "__main__":
    unittest.main()
