#include "log/chunk.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

#include "codec/event_json.h"

namespace millstream::log {
namespace {

std::string joined(const SplitData& split, std::string_view device) {
  std::string out;
  EXPECT_TRUE(Shape::parse(split.shape).join(split.values, device, out)) << split.shape;
  return out;
}

TEST(DataShape, AnyBytesComeBackAsTheyWere) {
  const char* texts[] = {
      R"({"deviceId":"d1","fields":{"t":21.43,"n":-7,"on":true,"off":false,"s":"a \"b\" \\"},"tags":{"m":"x"}})",
      R"({"deviceId":"d1","fields":{"a":0,"b":0.5,"c":-0.05,"d":1e+20,"e":-0.0,"f":12345678901234567,"g":123456789012345678}})",
      R"({"deviceId":"other","fields":{"a":9007199254740993.5,"b":1.10,"c":01,"d":1.,"e":-}})",
      R"({"a":null,"b":[1,2,{"c":[]}]})",
      "",
      "{",
      "\"",
      "\"\\",
      "no json at all \x01\x02\x03\x04\x05",
      "{\"a\":\"\x01\"}",
      "{\"\x02\":1}",
      "truefalse-12.5.6",
      R"({"äöü":"日本"})"};
  for (const std::string_view text : texts) {
    SplitData split;
    split_data(text, "d1", split);
    EXPECT_EQ(joined(split, "d1"), text);
  }
}

TEST(DataShape, EventsThatDifferInValuesAloneHaveOneShape) {
  SplitData one, two;
  split_data(R"({"deviceId":"d1","fields":{"t":21.4,"on":true,"s":"run"},"tags":{"m":"x"}})", "d1", one);
  split_data(R"({"deviceId":"d22","fields":{"t":-3,"on":false,"s":"stop"},"tags":{"m":"y"}})", "d22", two);
  EXPECT_EQ(one.shape, two.shape);
  EXPECT_LE(one.values.size(), 12u);
  const Shape shape = Shape::parse(one.shape);
  ASSERT_EQ(shape.number_fields().size(), 2u);
  EXPECT_EQ(shape.number_fields()[0].name, "t");
  EXPECT_EQ(shape.number_fields()[1].name, "on");
  EXPECT_EQ(shape.kinds()[shape.number_fields()[0].value], ValueKind::number);
}

TEST(DataShape, ValuesOfAnotherShapeAreRefused) {
  SplitData split;
  split_data(R"({"deviceId":"d1","fields":{"t":21.4,"s":"run"}})", "d1", split);
  const Shape shape = Shape::parse(split.shape);
  std::string out;
  EXPECT_FALSE(shape.join(split.values + "x", "d1", out));
  EXPECT_FALSE(shape.join(split.values.substr(0, split.values.size() - 1), "d1", out));
  EXPECT_FALSE(shape.join("", "d1", out));
}

TEST(Decimal, HasOneSpelling) {
  for (const char* text : {"0", "7", "-7", "21.43", "-0.05", "0.0000000000000001", "12345678901234567"}) {
    const std::optional<Decimal> value = parse_decimal(text);
    ASSERT_TRUE(value) << text;
    std::string out;
    append_decimal(*value, out);
    EXPECT_EQ(out, text);
    EXPECT_EQ(to_double(*value), std::strtod(text, nullptr)) << text;
  }
  for (const char* text : {"", "-", "-0", "-0.0", "00", "01", "1.", ".5", "1.0", "1.50", "1e3", "+1", "1.2.3",
                           "123456789012345678", "0.123456789012345678"}) {
    EXPECT_FALSE(parse_decimal(text)) << text;
  }
}

TEST(Decimal, AnyShortDoubleReadsAsItself) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 200'000; ++i) {
    const double value = static_cast<double>(static_cast<int64_t>(random() >> (8 + random() % 50))) /
                         std::pow(10.0, static_cast<double>(random() % 9)) * (random() % 2 ? 1 : -1);
    std::string text;
    codec::append_json_number(value, text);
    const std::optional<Decimal> decimal = parse_decimal(text);
    if (!decimal) continue;
    ASSERT_EQ(to_double(*decimal), value) << text;
    if (const auto scaled = scaled_to(*decimal, kDecimalDigitsMax)) {
      EXPECT_EQ(shortest(*scaled, kDecimalDigitsMax), *decimal);
    }
  }
}

class Shapes final : public ShapeSource {
 public:
  Result<std::shared_ptr<const Shape>> shape_of(int64_t number) override {
    const auto found = known.find(number);
    return found == known.end() ? nullptr : found->second;
  }
  std::pair<int64_t, std::shared_ptr<const Shape>> number(const std::string& text) {
    const auto [at, is_new] = numbers.try_emplace(text, static_cast<int64_t>(numbers.size()) + 1);
    if (is_new) known[at->second] = std::make_shared<const Shape>(Shape::parse(text));
    return {at->second, known[at->second]};
  }
  std::map<std::string, int64_t> numbers;
  std::map<int64_t, std::shared_ptr<const Shape>> known;
};

struct Sample {
  int64_t id;
  int64_t ts_ms;
  std::string data;
};

ChunkRow chunk_of(const std::vector<Sample>& samples, Shapes& shapes, std::vector<std::string>& held) {
  ChunkBuilder builder;
  held.reserve(samples.size());
  for (const Sample& sample : samples) {
    SplitData split;
    split_data(sample.data, "d1", split);
    const auto [number, shape] = shapes.number(split.shape);
    held.push_back(split.values);
    EXPECT_TRUE(builder.add({.id = model::EventId::from_packed(sample.id),
                             .ts_ms = sample.ts_ms,
                             .topic = 1,
                             .shape = number,
                             .values = held.back()},
                            shape));
  }
  return builder.finish(1);
}

void expect_same(const ChunkRow& row, const std::vector<Sample>& samples, Shapes& shapes) {
  const auto chunk = Chunk::decode(row.data, shapes);
  ASSERT_TRUE(chunk.ok()) << chunk.error().detail;
  ASSERT_EQ((*chunk)->count(), samples.size());
  for (size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ((*chunk)->id(i).packed(), samples[i].id);
    EXPECT_EQ((*chunk)->ts_ms(i), samples[i].ts_ms);
    std::string data;
    (*chunk)->append_data(i, "d1", data);
    EXPECT_EQ(data, samples[i].data);
    const std::vector<std::string> names = {"s", "t", "none", "e", "on", "big"};
    model::Fields fields;
    (*chunk)->append_fields(i, "d1", names, fields);
    const Result<model::Fields> decoded = codec::decode_telemetry_fields(data, names);
    EXPECT_EQ(fields, decoded ? *decoded : model::Fields()) << data;
  }
}

std::string random_data(std::mt19937_64& random) {
  std::string data = R"({"deviceId":"d1","fields":{)";
  data += "\"t\":";
  codec::append_json_number(static_cast<double>(random() % 10'000) / 100, data);
  if (random() % 3 == 0) data += ",\"e\":1e+2" + std::to_string(random() % 10);
  if (random() % 2 == 0) data += ",\"big\":" + std::to_string(static_cast<int64_t>(random()) / 100);
  if (random() % 2 == 0) data += random() % 2 ? ",\"on\":true" : ",\"on\":false";
  const char* texts[] = {"x", "xxx", "\\n\\u00e4", ""};
  data += ",\"s\":\"" + (random() % 9 == 0 ? "d1" : texts[random() % 4] + std::to_string(random() % 400)) + "\"";
  data += "}}";
  return data;
}

TEST(Chunk, GivesBackWhateverWasPutIn) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int round = 0; round < 40; ++round) {
    std::vector<Sample> samples;
    int64_t id = model::EventId{1'770'000'000'000, 0}.packed();
    const size_t count = 1 + random() % 600;
    for (size_t i = 0; i < count; ++i) {
      id += 1 + static_cast<int64_t>(random() % (random() % 2 ? 3 : 5'000'000'000));
      samples.push_back({.id = id,
                         .ts_ms = model::EventId::from_packed(id).ms + static_cast<int64_t>(random() % 2000) - 1900,
                         .data = random_data(random)});
    }
    Shapes shapes;
    std::vector<std::string> held;
    expect_same(chunk_of(samples, shapes, held), samples, shapes);
  }
}

TEST(Chunk, SumsAreOfOneShapeAndRisingTimesOnly) {
  Shapes shapes;
  std::vector<std::string> held, more;
  std::vector<Sample> samples;
  for (int64_t i = 0; i < 5; ++i) {
    samples.push_back({i << 20, 1000 + i, R"({"deviceId":"d1","fields":{"t":)" + std::to_string(10 + i) + ".25}}"});
  }
  const ChunkRow row = chunk_of(samples, shapes, held);
  EXPECT_EQ(row.ts_low_ms, 1000);
  EXPECT_EQ(row.ts_high_ms, 1004);
  const auto sums = decode_sums(row.sums, shapes);
  ASSERT_TRUE(sums.ok());
  ASSERT_EQ(sums->fields.size(), 1u);
  EXPECT_EQ(sums->fields[0].min, 10.25);
  EXPECT_EQ(sums->fields[0].max, 14.25);
  EXPECT_EQ(sums->fields[0].last, 14.25);
  EXPECT_EQ(sums->fields[0].sum, 61.25);
  samples.back().ts_ms = 1001;
  EXPECT_TRUE(chunk_of(samples, shapes, more).sums.empty());
}

TEST(Chunk, IsFullBeforeItEncodesToMoreThanIsRead) {
  Shapes shapes;
  SplitData split;
  split_data(R"({"deviceId":"d1","fields":{"t":")" + std::string(1 << 20, 'x') + R"("}})", "d1", split);
  const auto [number, shape] = shapes.number(split.shape);
  ChunkBuilder builder;
  uint32_t events = 0;
  for (; !builder.is_full(); ++events) {
    ASSERT_TRUE(
        builder.add({.id = {1, events}, .ts_ms = 1, .topic = 1, .shape = number, .values = split.values}, shape));
  }
  EXPECT_LE(events, 17u);
  EXPECT_TRUE(Chunk::decode(builder.finish(1).data, shapes).ok());
}

TEST(Chunk, DamagedBytesAreRefusedOrReadWithinTheirBounds) {
  std::mt19937_64 random(11);
  Shapes shapes;
  std::vector<std::string> held;
  std::vector<Sample> samples;
  for (int64_t i = 0; i < 300; ++i) samples.push_back({(i + 1) << 20, i, random_data(random)});
  const ChunkRow row = chunk_of(samples, shapes, held);
  for (int i = 0; i < 2000; ++i) {
    std::string bytes = row.data;
    bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
    const auto chunk = Chunk::decode(bytes, shapes);
    EXPECT_TRUE(chunk || chunk.error().code == Code::corrupt);
    std::string out;
    for (size_t e = 0; chunk && e < (*chunk)->count(); ++e) (*chunk)->append_data(e, "d1", out);
  }
}

}  // namespace
}  // namespace millstream::log
