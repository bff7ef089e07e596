#include "app/toml_file.h"

#include <toml++/toml.h>

#include <fstream>
#include <optional>
#include <sstream>

namespace millstream::app {
namespace {

constexpr size_t kFileBytesMax = 1 << 20;
constexpr std::string_view kRules = "rules";
constexpr std::string_view kIssuers = "issuers";
constexpr std::string_view kMqtt = "mqtt";
constexpr std::string_view kRedisFeeds = "redis_feeds";
constexpr std::string_view kSqs = "sqs";
constexpr std::string_view kChannels = "channels";

// Walks the tree that toml++ made, depth first, and remembers the first thing that does not fit.
class Flattener {
 public:
  explicit Flattener(const std::string& path) : path_(path) {}

  Result<TomlFile> run(const toml::table& root) {
    for (const auto& [key, node] : root) {
      const toml::array* array = node.as_array();
      const bool tables = array && array->is_array_of_tables();
      if (tables && key.str() == kRules) {
        take_entries(kRules, *array, file_.rules);
      } else if (tables && key.str() == kIssuers) {
        take_entries(kIssuers, *array, file_.issuers);
      } else if (tables && key.str() == kMqtt) {
        take_entries(kMqtt, *array, file_.mqtt);
      } else if (tables && key.str() == kRedisFeeds) {
        take_entries(kRedisFeeds, *array, file_.redis_feeds);
      } else if (tables && key.str() == kSqs) {
        take_entries(kSqs, *array, file_.sqs);
      } else if (tables && key.str() == kChannels) {
        take_entries(kChannels, *array, file_.channels);
      } else {
        take(std::string(key.str()), node, file_.settings);
      }
    }
    if (error_) return *error_;
    return std::move(file_);
  }

 private:
  std::string place(const toml::node& node) const { return path_ + ":" + std::to_string(node.source().begin.line); }

  void take_entries(std::string_view prefix, const toml::array& tables, std::vector<TomlFile::Entry>& out) {
    for (const toml::node& table : tables) {
      TomlFile::Entry entry{place(table), {}};
      take_table(std::string(prefix), *table.as_table(), entry.settings);
      out.push_back(std::move(entry));
    }
  }

  void take_table(const std::string& prefix, const toml::table& table, std::vector<Setting>& out) {
    for (const auto& [key, node] : table) take(prefix + "." + std::string(key.str()), node, out);
  }

  void take(const std::string& key, const toml::node& node, std::vector<Setting>& out) {
    if (const toml::table* table = node.as_table()) return take_table(key, *table, out);
    Setting setting{key, place(node), {}};
    if (const auto* text = node.as_string()) {
      setting.value = text->get();
    } else if (const auto* whole = node.as_integer()) {
      setting.value = whole->get();
    } else if (const auto* real = node.as_floating_point()) {
      setting.value = real->get();
    } else if (const auto* flag = node.as_boolean()) {
      setting.value = flag->get();
    } else if (!take_list(node, setting)) {
      if (!error_) error_ = setting.wrong("no key takes such a value");
      return;
    }
    out.push_back(std::move(setting));
  }

  static bool take_list(const toml::node& node, Setting& setting) {
    const toml::array* array = node.as_array();
    if (!array) return false;
    std::vector<std::string> texts;
    for (const toml::node& item : *array) {
      if (!item.is_string()) return false;
      texts.push_back(item.as_string()->get());
    }
    setting.value = std::move(texts);
    return true;
  }

  const std::string& path_;
  TomlFile file_;
  std::optional<Error> error_;
};

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kFileBytesMax + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || in.gcount() == 0) {
    // Reading a directory fails only here; an empty file is a file without settings.
    if (!in.eof() || !in.is_open()) return Error{Code::invalid, "cannot read the configuration file " + path};
  }
  text.resize(static_cast<size_t>(in.gcount()));
  if (text.size() > kFileBytesMax) return Error{Code::invalid, path + ": larger than 1MiB"};
  return text;
}

}  // namespace

Result<TomlFile> read_toml_file(const std::string& path) {
  const Result<std::string> text = read_file(path);
  if (!text) return text.error();
  try {
    return Flattener(path).run(toml::parse(*text, path));
  } catch (const toml::parse_error& error) {
    std::string what(error.description());
    for (char& c : what) c = c == '\n' ? ' ' : c;
    return Error{Code::invalid, path + ":" + std::to_string(error.source().begin.line) + ": " + what};
  }
}

}  // namespace millstream::app
