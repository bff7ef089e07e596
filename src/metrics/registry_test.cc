#include "metrics/registry.h"

#include <gtest/gtest.h>

#include <thread>

namespace millstream::metrics {
namespace {

TEST(Registry, PrintsHelpAndTypeOncePerNameWithItsSeriesTogether) {
  Registry registry;
  registry.counter("requests_total", "Requests.", "endpoint=\"/write\"").add(3);
  registry.gauge("open_streams", "Streams open now.").set(-2);
  registry.counter("requests_total", "Requests.", "endpoint=\"/ping\"").add();
  EXPECT_EQ(registry.prometheus_text(),
            "# HELP open_streams Streams open now.\n"
            "# TYPE open_streams gauge\n"
            "open_streams -2\n"
            "# HELP requests_total Requests.\n"
            "# TYPE requests_total counter\n"
            "requests_total{endpoint=\"/write\"} 3\n"
            "requests_total{endpoint=\"/ping\"} 1\n");
}

TEST(Registry, TheSameNameAndLabelsGiveTheSameMetric) {
  Registry registry;
  Counter& first = registry.counter("a_total", "A.", "x=\"1\"");
  EXPECT_EQ(&registry.counter("a_total", "A.", "x=\"1\""), &first);
  EXPECT_NE(&registry.counter("a_total", "A.", "x=\"2\""), &first);
  EXPECT_EQ(&registry.gauge("g", "G."), &registry.gauge("g", "G."));
  EXPECT_EQ(&registry.histogram("h_seconds", "H."), &registry.histogram("h_seconds", "H."));
}

TEST(Registry, ReferencesLiveOnWhileOthersAreMade) {
  Registry registry;
  Counter& first = registry.counter("c0_total", "C.");
  for (int i = 1; i < 1000; ++i) registry.counter("c" + std::to_string(i) + "_total", "C.").add();
  first.add(5);
  EXPECT_NE(registry.prometheus_text().find("\nc0_total 5\n"), std::string::npos);
}

TEST(Registry, HistogramsPrintCumulativeBucketsInSeconds) {
  Registry registry;
  Histogram& latency = registry.histogram("wait_seconds", "Wait.", "kind=\"disk\"");
  latency.observe_us(1);
  latency.observe_us(2);
  latency.observe_us(1'000'000);
  latency.observe_us(int64_t{100} * 1'000'000);  // beyond the last bucket
  const std::string text = registry.prometheus_text();
  EXPECT_NE(text.find("# TYPE wait_seconds histogram\n"), std::string::npos);
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"1e-06\"} 1\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"2e-06\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"0.524288\"} 2\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"1.048576\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"67.108864\"} 3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_bucket{kind=\"disk\",le=\"+Inf\"} 4\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_sum{kind=\"disk\"} 101.000003\n"), std::string::npos) << text;
  EXPECT_NE(text.find("wait_seconds_count{kind=\"disk\"} 4\n"), std::string::npos) << text;
}

TEST(Registry, HistogramBucketsHoldTheirUpperBound) {
  Histogram histogram;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    histogram.observe_us(int64_t{1} << i);
    EXPECT_EQ(histogram.bucket(i), 1u) << i;
  }
  histogram.observe_us((int64_t{1} << (Histogram::kBuckets - 1)) + 1);
  EXPECT_EQ(histogram.bucket(Histogram::kBuckets), 1u);
  histogram.observe_us(-7);
  EXPECT_EQ(histogram.bucket(0), 2u);
}

TEST(Registry, AReadGaugeIsReadWhenPrintedAndTheLastReadCounts) {
  Registry registry;
  int64_t depth = 1;
  registry.gauge_from("depth", "Depth.", [] { return int64_t{99}; });
  registry.gauge_from("depth", "Depth.", [&] { return depth; });
  depth = 7;
  EXPECT_EQ(registry.prometheus_text(), "# HELP depth Depth.\n# TYPE depth gauge\ndepth 7\n");
}

TEST(Registry, AReadMayMakeAMetricItself) {
  Registry registry;
  registry.gauge_from("outer", "O.", [&] {
    registry.counter("inner_total", "I.").add();
    return int64_t{1};
  });
  EXPECT_NE(registry.prometheus_text().find("inner_total 1\n"), std::string::npos);
}

TEST(Registry, HelpStaysOnItsLine) {
  Registry registry;
  registry.counter("a_total", "one\ntwo \\ three");
  EXPECT_NE(registry.prometheus_text().find("# HELP a_total one\\ntwo \\\\ three\n"), std::string::npos);
}

TEST(Registry, CountsFromManyThreadsWhilePrinting) {
  Registry registry;
  Counter& counter = registry.counter("a_total", "A.");
  Histogram& histogram = registry.histogram("h_seconds", "H.");
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 10'000; ++i) {
          counter.add();
          histogram.observe_us(i);
        }
      });
    }
    for (int i = 0; i < 20; ++i) EXPECT_FALSE(registry.prometheus_text().empty());
  }
  const std::string text = registry.prometheus_text();
  EXPECT_NE(text.find("a_total 40000\n"), std::string::npos);
  EXPECT_NE(text.find("h_seconds_count 40000\n"), std::string::npos);
}

TEST(RegistryDeathTest, OneNameCannotHaveTwoTypes) {
  Registry registry;
  registry.counter("a", "A.");
  EXPECT_DEATH(registry.gauge("a", "A.", "x=\"1\""), "invariant broken");
  EXPECT_DEATH(registry.counter("not a name", "A."), "invariant broken");
  EXPECT_DEATH(registry.histogram("h", "H."), "invariant broken");
}

}  // namespace
}  // namespace millstream::metrics
