#include "codec/csv.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace millstream::codec {
namespace {

std::string cell(std::string_view text) {
  std::string out;
  CsvWriter writer(out);
  writer.text(text).empty().end_row();
  EXPECT_TRUE(out.ends_with(",\r\n"));
  return out.substr(0, out.size() - 3);
}

using Rows = std::vector<std::vector<std::string>>;

// A reader of RFC 4180 that shares nothing with the writer. Fails the test on what the grammar does not allow.
Rows read(std::string_view csv) {
  Rows rows;
  size_t at = 0;
  while (at < csv.size()) {
    std::vector<std::string> row;
    while (true) {
      std::string cell;
      if (at < csv.size() && csv[at] == '"') {
        for (++at;; ++at) {
          if (at >= csv.size()) {
            ADD_FAILURE() << "a quote is not closed";
            return rows;
          }
          if (csv[at] != '"') {
            cell += csv[at];
          } else if (at + 1 < csv.size() && csv[at + 1] == '"') {
            cell += csv[++at];
          } else {
            break;
          }
        }
        ++at;
      } else {
        for (; at < csv.size() && csv[at] != ',' && csv[at] != '\r'; ++at) {
          EXPECT_NE(csv[at], '"');
          EXPECT_NE(csv[at], '\n');
          cell += csv[at];
        }
      }
      row.push_back(std::move(cell));
      if (at < csv.size() && csv[at] == ',') {
        ++at;
        continue;
      }
      EXPECT_EQ(csv.substr(at, 2), "\r\n");
      at += 2;
      break;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

bool is_risky(std::string_view text) {
  if (text.empty()) return false;
  if (std::string_view("=+-@\t\r\n").find(text[0]) != std::string_view::npos) return true;
  return text.size() >= 3 && text[0] == '\xEF' && text[1] == '\xBC' &&
         std::string_view("\x9D\x8B\x8D\xA0").find(text[2]) != std::string_view::npos;
}

// What the documentation tells a reader to do who wants the text back.
std::string without_apostrophe(const std::string& cell) {
  size_t count = 0;
  while (count < cell.size() && cell[count] == '\'') ++count;
  return count > 0 && is_risky(std::string_view(cell).substr(count)) ? cell.substr(1) : cell;
}

TEST(Csv, ATextIsQuotedOnlyWhenItMustBe) {
  EXPECT_EQ(cell("pump 1"), "pump 1");
  EXPECT_EQ(cell("a,b"), "\"a,b\"");
  EXPECT_EQ(cell("say \"no\""), "\"say \"\"no\"\"\"");
  EXPECT_EQ(cell("two\nlines"), "\"two\nlines\"");
  EXPECT_EQ(cell("two\rlines"), "\"two\rlines\"");
  EXPECT_EQ(cell(" a"), "\" a\"");
  EXPECT_EQ(cell(""), "");
}

TEST(Csv, ATextThatIsAFormulaIsNotOne) {
  for (const std::string text : {"=1+1", "+1", "-1", "@SUM(A1)", "\tx",
                                 "\xEF\xBC\x9D"
                                 "1",
                                 "-"}) {
    EXPECT_EQ(cell(text), "'" + text);
  }
  EXPECT_EQ(cell("\rx"), "\"'\rx\"");
  EXPECT_EQ(cell("=HYPERLINK(\"http://x\",\"y\")"), "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"");
  EXPECT_EQ(cell("'=1"), "''=1") << "or it could not be told from a neutralised one";
  EXPECT_EQ(cell("'tis"), "'tis");
  EXPECT_EQ(cell("a=1"), "a=1");
}

TEST(Csv, NumbersStayNumbers) {
  std::string out;
  CsvWriter writer(out);
  writer.number(-1.5)
      .number(uint64_t{3})
      .value(int64_t{-7})
      .value(-0.25)
      .value(true)
      .value(std::string("-7"))
      .end_row();
  EXPECT_EQ(out, "-1.5,3,-7,-0.25,true,'-7\r\n");
}

TEST(Csv, WhatWasWrittenIsReadBackWhateverItIs) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const std::vector<std::string> pieces = {"\"", ",", "\r", "\n",   "\r\n",         "=",           "+",
                                           "-",  "@", "\t", "'",    "''",           " ",           "a",
                                           "7",  ";", "é",  "\x01", "\xEF\xBC\x8B", "\xEF\xBC\xA0"};
  for (int round = 0; round < 2000; ++round) {
    Rows rows(1 + random() % 4);
    std::string csv;
    CsvWriter writer(csv);
    for (std::vector<std::string>& row : rows) {
      row.resize(2 + random() % 4);
      for (std::string& text : row) {
        for (size_t left = random() % 6; left > 0; --left) text += pieces[random() % pieces.size()];
        writer.text(text);
      }
      writer.end_row();
    }
    Rows back = read(csv);
    for (std::vector<std::string>& row : back) {
      for (std::string& text : row) {
        ASSERT_FALSE(is_risky(text)) << csv;
        text = without_apostrophe(text);
      }
    }
    ASSERT_EQ(back, rows) << csv;
  }
}

}  // namespace
}  // namespace millstream::codec
