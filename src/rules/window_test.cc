#include "rules/window.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "rules/baseline.h"

namespace millstream::rules {
namespace {

TEST(Window, IsWhatGoingThroughAllValuesGives) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    Window window;
    std::deque<std::pair<int64_t, double>> values;
    const int64_t window_ms = 10'000;
    int64_t ms = 0;
    for (int i = 0; i < 500; ++i) {
      // Far enough apart for panes of their own.
      ms += 40 + static_cast<int64_t>(random() % 900);
      const double value = static_cast<double>(random() % 1000) / 10;
      window.add(value, ms, window_ms);
      values.emplace_back(ms, value);
      while (values.front().first <= ms - window_ms) values.pop_front();
      double sum = 0, low = 1e9, high = -1e9, increase = 0;
      for (size_t n = 0; n < values.size(); ++n) {
        const double v = values[n].second;
        sum += v;
        low = std::min(low, v);
        high = std::max(high, v);
        if (n > 0) increase += v >= values[n - 1].second ? v - values[n - 1].second : v;
      }
      const double mean = sum / static_cast<double>(values.size());
      double squares = 0;
      for (const auto& [at, v] : values) squares += (v - mean) * (v - mean);
      const WindowSums sums = window.sums();
      ASSERT_EQ(sums.count, values.size());
      ASSERT_NEAR(sums.sum, sum, 1e-6);
      ASSERT_NEAR(sums.mean, mean, 1e-9);
      ASSERT_NEAR(sums.squares, squares, 1e-6);
      ASSERT_EQ(sums.min, low);
      ASSERT_EQ(sums.max, high);
      ASSERT_NEAR(sums.increase, increase, 1e-6);
      ASSERT_EQ(sums.first, values.front().second);
      ASSERT_EQ(sums.last, value);
      ASSERT_EQ(sums.first_ms, values.front().first);
    }
  }
}

std::string saved(const Window& window) {
  return model::state_text([&](model::StateWriter& out) { window.save(out); });
}

TEST(Window, ManyValuesAtOnceTakeNoMoreThanItsPanes) {
  Window window;
  for (int64_t ms = 0; ms < 60'000; ++ms) window.add(1, ms, 10'000);
  EXPECT_NEAR(static_cast<double>(window.sums().count), 10'000, 40);
  EXPECT_LT(saved(window).size(), 60'000u);
}

TEST(Window, GoesOnTheSameWhenItWasSaved) {
  std::mt19937_64 random(7);
  Window one;
  int64_t ms = 0;
  for (int i = 0; i < 300; ++i) {
    ms += static_cast<int64_t>(random() % 300);
    const std::string state = saved(one);
    Window other;
    model::StateReader reader(state);
    ASSERT_TRUE(other.load(reader) && reader.at_end());
    const double value = static_cast<double>(random() % 100) / 7;
    one.add(value, ms, 5'000);
    other.add(value, ms, 5'000);
    ASSERT_EQ(one.sums().mean, other.sums().mean);
    ASSERT_EQ(one.sums().squares, other.sums().squares);
    ASSERT_EQ(one.sums().count, other.sums().count);
  }
}

TEST(Baseline, TheMedianAbsoluteDeviationIsThatOfTheLastValues) {
  std::mt19937_64 random(3);
  Baseline baseline;
  std::deque<double> last;
  const model::BaselineSettings settings{.direction = model::Direction::up, .warmup = 2};
  const auto median = [](std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t half = values.size() / 2;
    return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
  };
  for (int i = 0; i < 1000; ++i) {
    const double value = static_cast<double>(random() % 500) / 4;
    const auto judged = baseline.judge(model::Function::mad, settings, value, i);
    ASSERT_EQ(judged.has_value(), last.size() >= 2);
    if (judged) {
      const double centre = median({last.begin(), last.end()});
      std::vector<double> distances;
      for (const double v : last) distances.push_back(std::abs(v - centre));
      const double spread = 1.4826 * median(distances);
      if (spread > 0) {
        ASSERT_NEAR(*judged, std::max(0.0, (value - centre) / spread), 1e-9);
      }
    }
    last.push_back(value);
    if (last.size() > Baseline::kMadValues) last.pop_front();
  }
}

}  // namespace
}  // namespace millstream::rules
