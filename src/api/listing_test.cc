#include "api/listing.h"

#include <gtest/gtest.h>

namespace millstream::api {
namespace {

Format asked_with(std::initializer_list<const char*> accepts) {
  http::Request request;
  for (const char* accept : accepts) request.headers.add("accept", accept);
  return format_of(request);
}

std::string disposition(std::string_view name) {
  return std::string(listing(Format::csv, "", name).headers.get("content-disposition"));
}

TEST(Listing, IsCsvOnlyWhenThatIsPreferred) {
  EXPECT_EQ(asked_with({}), Format::json);
  EXPECT_EQ(asked_with({"*/*"}), Format::json);
  EXPECT_EQ(asked_with({"text/csv"}), Format::csv);
  EXPECT_EQ(asked_with({"application/json;q=0.5", "text/csv"}), Format::csv) << "two headers are one list";
  EXPECT_EQ(asked_with({"application/json;q=0.5, text/html;q=0.4, text/csv;q=0.9"}), Format::csv);
  EXPECT_EQ(asked_with({"text/csv;q=0.5, application/json;q=0.9"}), Format::json);
}

TEST(Listing, SaysToCachesWhatItDependsOn) {
  EXPECT_EQ(listing(Format::json, "{}", "x").headers.get("vary"), "Accept");
  EXPECT_EQ(listing(Format::csv, "", "x").headers.get("vary"), "Accept");
  EXPECT_EQ(listing(Format::csv, "", "x").headers.get("content-type"), "text/csv; charset=utf-8; header=present");
  EXPECT_FALSE(listing(Format::json, "{}", "x").headers.has("content-disposition"));
}

TEST(Listing, ADownloadHasAHarmlessName) {
  EXPECT_EQ(disposition("series-pump-1"), "attachment; filename=\"series-pump-1.csv\"");
  EXPECT_EQ(disposition("../etc/passwd"), "attachment; filename=\"_.._etc_passwd.csv\"");
  EXPECT_EQ(disposition("a\"\r\nX: y;"), "attachment; filename=\"a___X__y_.csv\"");
  EXPECT_EQ(disposition(""), "attachment; filename=\"_.csv\"");
  EXPECT_EQ(disposition("-rf"), "attachment; filename=\"_-rf.csv\"");
  EXPECT_EQ(disposition(std::string(500, 'x')).size(), std::string("attachment; filename=\".csv\"").size() + 100);
}

}  // namespace
}  // namespace millstream::api
