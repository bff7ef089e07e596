#include "influx/spool.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "influx/testing.h"

namespace millstream::influx {
namespace {

using testing::TempDirectory;

Batch batch_of(int64_t n, size_t bytes = 10) {
  Batch batch;
  batch.lines = std::string(bytes - 1, static_cast<char>('a' + n % 26)) + "\n";
  batch.sizes = {static_cast<uint32_t>(bytes)};
  batch.after = {n - 1, 0};
  batch.to = {n, 0};
  return batch;
}

class SpoolTest : public ::testing::Test {
 protected:
  Spool open(int64_t bytes_max = 1 << 20, int64_t file_bytes_max = 1 << 16) {
    return Spool({.directory = directory_ / "spool",
                  .bytes_max = bytes_max,
                  .age_ms_max = 1'000,
                  .file_bytes_max = file_bytes_max},
                 [this](const Spool::Dropped& dropped) { dropped_.push_back(dropped); });
  }
  // Everything in it, oldest first, which leaves it empty.
  std::string drained(Spool& spool, size_t bytes_max = 25) {
    std::string all;
    while (true) {
      const auto batch = spool.front(bytes_max);
      EXPECT_TRUE(batch.ok()) << batch.error().detail;
      if (!batch.ok() || !*batch) return all;
      all += (*batch)->lines;
      spool.pop();
    }
  }
  std::vector<std::filesystem::path> files() {
    std::vector<std::filesystem::path> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "spool")) all.push_back(entry.path());
    std::sort(all.begin(), all.end());
    return all;
  }
  static std::string lines_of(int64_t from, int64_t to) {
    std::string all;
    for (int64_t n = from; n <= to; ++n) all += batch_of(n).lines;
    return all;
  }

  TempDirectory directory_;
  std::vector<Spool::Dropped> dropped_;
};

TEST_F(SpoolTest, GivesTheOldestFirstAndSeveralTogether) {
  Spool spool = open();
  ASSERT_TRUE(spool.open().ok());
  for (int64_t n = 1; n <= 5; ++n) ASSERT_TRUE(spool.append(batch_of(n), n).ok());
  EXPECT_EQ(spool.batches(), 5);
  const auto two = spool.front(25);
  ASSERT_TRUE(two.ok() && two->has_value());
  EXPECT_EQ((*two)->lines, lines_of(1, 2));
  EXPECT_EQ((*two)->sizes, (std::vector<uint32_t>{10, 10}));
  EXPECT_EQ((*two)->after, (model::EventId{0, 0}));
  EXPECT_EQ((*two)->to, (model::EventId{2, 0}));
  EXPECT_EQ(drained(spool), lines_of(1, 5));  // what was not popped is given again
  EXPECT_EQ(spool.bytes(), 0);
  EXPECT_TRUE(files().empty());
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(SpoolTest, IsThereAgainAfterACrash) {
  {
    Spool spool = open(1 << 20, 100);
    ASSERT_TRUE(spool.open().ok());
    for (int64_t n = 1; n <= 9; ++n) ASSERT_TRUE(spool.append(batch_of(n), n).ok());
  }
  Spool again = open();
  ASSERT_TRUE(again.open().ok());
  EXPECT_EQ(again.batches(), 9);
  EXPECT_EQ(again.last_id(), (model::EventId{9, 0}));
  ASSERT_TRUE(again.append(batch_of(10), 10).ok());
  EXPECT_EQ(drained(again), lines_of(1, 10));
}

TEST_F(SpoolTest, CutsOffWhatAnAppendThatNeverReturnedHasLeft) {
  {
    Spool spool = open();
    ASSERT_TRUE(spool.open().ok());
    for (int64_t n = 1; n <= 3; ++n) ASSERT_TRUE(spool.append(batch_of(n), n).ok());
  }
  const auto file = files().at(0);
  const auto whole = std::filesystem::file_size(file);
  std::ifstream in(file, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  const auto record = whole / 3;
  for (auto size = whole - 1; size > 2 * record; --size) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes.substr(0, size);
    Spool spool = open();
    ASSERT_TRUE(spool.open().ok()) << size;
    ASSERT_EQ(spool.batches(), 2) << size;
    ASSERT_EQ(spool.last_id(), (model::EventId{2, 0}));
    ASSERT_EQ(std::filesystem::file_size(file), 2 * record);
  }
  Spool spool = open();
  ASSERT_TRUE(spool.open().ok());
  ASSERT_TRUE(spool.append(batch_of(3), 3).ok());
  EXPECT_EQ(drained(spool), lines_of(1, 3));
  EXPECT_TRUE(dropped_.empty());
}

TEST_F(SpoolTest, SaysWhatDamageHasTaken) {
  {
    Spool spool = open(1 << 20, 1);  // a file each
    ASSERT_TRUE(spool.open().ok());
    for (int64_t n = 1; n <= 3; ++n) ASSERT_TRUE(spool.append(batch_of(n), n).ok());
  }
  std::fstream file(files().at(1), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(-3, std::ios::end);
  file << '!';
  file.close();
  Spool spool = open();
  ASSERT_TRUE(spool.open().ok());
  EXPECT_EQ(drained(spool), lines_of(1, 1) + lines_of(3, 3));
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(dropped_[0].after, (model::EventId{1, 0}));
  EXPECT_EQ(dropped_[0].to, (model::EventId{2, 0}));
  EXPECT_EQ(dropped_[0].why, "damaged");
}

TEST_F(SpoolTest, GivesUpTheOldestAtItsSizeAndSaysWhat) {
  Spool spool = open(2'000);
  ASSERT_TRUE(spool.open().ok());
  for (int64_t n = 1; n <= 100; ++n) {
    ASSERT_TRUE(spool.append(batch_of(n, 100), n).ok());
    ASSERT_LE(spool.bytes(), 2'000);
  }
  uint64_t lines = 0;
  model::EventId last{0, 0};
  for (const Spool::Dropped& each : dropped_) {
    EXPECT_EQ(each.why, "size");
    EXPECT_EQ(each.after, last);
    last = each.to;
    lines += each.lines;
  }
  EXPECT_EQ(static_cast<int64_t>(lines) + spool.batches(), 100);
  EXPECT_EQ(last.ms, static_cast<int64_t>(lines));
  EXPECT_GE(spool.bytes(), 1'500);
}

TEST_F(SpoolTest, GivesUpWhatIsTooOld) {
  Spool spool = open(1 << 20, 1);
  ASSERT_TRUE(spool.open().ok());
  for (int64_t n = 1; n <= 3; ++n) ASSERT_TRUE(spool.append(batch_of(n), n * 500).ok());
  spool.drop_expired(1'600);
  ASSERT_EQ(dropped_.size(), 1u);
  EXPECT_EQ(dropped_[0].why, "age");
  EXPECT_EQ(dropped_[0].lines, 1u);
  EXPECT_EQ(drained(spool), lines_of(2, 3));
}

TEST_F(SpoolTest, GoesOnWithWhatComesAfterItWasEmpty) {
  Spool spool = open();
  ASSERT_TRUE(spool.open().ok());
  for (int64_t n = 1; n <= 4; ++n) {
    ASSERT_TRUE(spool.append(batch_of(n), n).ok());
    EXPECT_EQ(drained(spool), lines_of(n, n));
  }
}

}  // namespace
}  // namespace millstream::influx
