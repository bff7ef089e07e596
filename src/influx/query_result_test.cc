#include "influx/query_result.h"

#include <gtest/gtest.h>

#include "influx/influxql.h"

namespace millstream::influx {
namespace {

TEST(QueryResult, ReadsSeriesOfSeveralStatements) {
  const auto read = parse_query_result(
      R"({"results":[{"statement_id":0,"series":[{"name":"t","tags":{"device":"d"},"columns":["time","v"],"values":[[1,2.5],[2,null],[3,true],[4,"x"],[5,7]]}]},{"statement_id":1,"partial":true}]})");
  ASSERT_TRUE(read.ok()) << read.error().detail;
  ASSERT_EQ(read->size(), 2u);
  const QuerySeries& series = (*read)[0].series.at(0);
  EXPECT_EQ(series.tags.at("device"), "d");
  ASSERT_EQ(series.rows.size(), 5u);
  EXPECT_EQ(series.rows[0][1], Cell(2.5));
  EXPECT_EQ(series.rows[1][1], Cell());
  EXPECT_EQ(series.rows[2][1], Cell(true));
  EXPECT_EQ(series.rows[3][1], Cell("x"));
  EXPECT_EQ(series.rows[4][1], Cell(int64_t{7}));
  EXPECT_TRUE((*read)[1].partial);
}

TEST(QueryResult, JoinsTheChunksOfASeries) {
  const auto read = parse_query_result(
      "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"t\",\"columns\":[\"time\"],\"values\":[[1]]}]}]}\n"
      "{\"results\":[{\"statement_id\":0,\"series\":[{\"name\":\"t\",\"columns\":[\"time\"],\"values\":[[2]]}]}]}\n");
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->at(0).series.size(), 1u);
  EXPECT_EQ(read->at(0).series[0].rows.size(), 2u);
}

TEST(QueryResult, GivesTheServersErrorsAsTheyAre) {
  for (const char* body : {R"({"error":"no such"})", R"({"results":[{"statement_id":0,"error":"no such"}]})"}) {
    const auto read = parse_query_result(body);
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Code::unprocessable);
    EXPECT_EQ(read.error().detail, "InfluxDB: no such");
  }
}

TEST(QueryResult, NamesThePlaceOfWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "the whole: empty"},
      {"{", "the whole: not JSON"},
      {"[]", "the whole: not an object"},
      {"{}", "results: not a list"},
      {R"({"results":[1]})", "results[0]: not an object"},
      {R"({"results":[{"series":7}]})", "results[0].series: not a list"},
      {R"({"results":[{"series":[{}]}]})", "results[0].series[0].columns: not a list"},
      {R"({"results":[{"series":[{"columns":["a"],"values":[[1,2]]}]}]})",
       "results[0].series[0].values[0]: not as many as there are columns"},
      {R"({"results":[{"series":[{"columns":["a"],"values":[[[]]]}]}]})",
       "results[0].series[0].values[0][0]: not a value"},
      {R"({"results":[{"statement_id":18446744073709551615}]})", "results[0].statement_id: too large"},
  };
  for (const auto& [body, what] : cases) {
    const auto read = parse_query_result(body);
    ASSERT_FALSE(read.ok()) << body;
    EXPECT_EQ(read.error().detail, std::string("InfluxDB's answer: ") + what);
  }
}

TEST(InfluxQl, QuotesWhateverIsInIt) {
  EXPECT_EQ(quoted_name(R"(a"b\c)"), R"("a\"b\\c")");
  EXPECT_EQ(quoted_text("it's; DROP\nDATABASE"), R"('it\'s; DROP\nDATABASE')");
  EXPECT_EQ(form_encoded("a b&c=é+"), "a%20b%26c%3d%c3%a9%2b");
}

}  // namespace
}  // namespace millstream::influx
