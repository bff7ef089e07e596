// millstream check-data: goes through every file of a data directory and says what is damaged.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <vector>

#include "app/commands.h"
#include "app/event_text.h"
#include "app/progress_line.h"
#include "app/scratch_directory.h"
#include "codec/event_json.h"
#include "log/check_file.h"
#include "log/hour_file.h"
#include "registry/registry_copy.h"

namespace millstream::app {
namespace {

namespace fs = std::filesystem;

struct CheckedFile {
  std::string name;  // in the data directory
  const char* what = "events";
  log::FileCheck check;
  std::optional<std::string> unreadable;  // it could not be looked at
  std::string note;                       // set aside earlier
};

// --- looking ---------------------------------------------------------------------------------------------------------

class DataCheck {
 public:
  DataCheck(std::string directory, std::string scratch)
      : directory_(std::move(directory)), scratch_(std::move(scratch)) {}

  Result<std::vector<CheckedFile>> run(ProgressLine& progress) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_ + "/log", error)) entries.push_back(entry);
    if (error) return Error{Code::not_found, directory_ + " is no data directory: it has no log in it"};
    std::sort(entries.begin(), entries.end());
    uint64_t bytes = 0;
    for (const auto& entry : entries) bytes += entry.file_size(error);
    progress.begin("checking", bytes);

    add("registry.db", "", [&](const std::string&) { return check_registry(); });
    const auto pages = [&](const std::string& path) { return log::verify_pages(path, scratch_); };
    add("tickets.db", "", pages);
    for (const auto& entry : entries) {
      add_of_log(entry.path().filename().string());
      if (Status s = progress.advance(entry.file_size(error)); !s) return s.error();
    }
    return std::move(files_);
  }

 private:
  template <class Check>
  void add(const std::string& name, const char* what, Check check) {
    const std::string path = directory_ + "/" + name;
    if (!fs::exists(path)) return;
    const Result<log::FileCheck> checked = check(path);
    if (!checked && checked.error().code == Code::not_found) return;  // retention removed it
    CheckedFile file{.name = name, .what = what, .check = {}, .unreadable = {}, .note = {}};
    if (checked) {
      file.check = *checked;
    } else {
      file.unreadable = checked.error().detail;
    }
    files_.push_back(std::move(file));
  }

  void add_of_log(const std::string& name) {
    const std::string in_log = "log/" + name;
    if (const auto hour = log::parse_hour_file_name(name)) {
      add(in_log, "events", [&](const std::string& path) { return log::verify_hour_file(path, *hour); });
    } else if (name == "checkpoints.db") {
      add(in_log, "checkpoints", [&](const std::string& path) { return log::verify_checkpoint_file(path, scratch_); });
    } else if (const auto lost = log::parse_set_aside_name(name)) {
      files_.push_back({.name = in_log,
                        .what = "",
                        .check = {},
                        .unreadable = {},
                        .note = "what was between " + lost->after.text() + " and " + lost->to.text() +
                                " may be missing, and is declared so"});
    }
  }

  Result<log::FileCheck> check_registry() const {
    const Result<std::vector<std::string>> lines = registry::check_registry(directory_);
    if (!lines) return lines.error();
    log::FileCheck check;
    for (const std::string& line : *lines) {
      ++check.damages_in_all;
      check.damages.push_back({.place = "pages", .what = line, .first = {}, .last = {}});
    }
    return check;
  }

  const std::string directory_;
  const std::string scratch_;
  std::vector<CheckedFile> files_;
};

// --- telling ---------------------------------------------------------------------------------------------------------

std::string ids_text(const log::Damage& damage) {
  if (damage.first.is_zero() && damage.last.is_zero()) return "";
  std::string text = ", ids " + damage.first.text();
  if (damage.last != damage.first) text += " to " + damage.last.text();
  if (damage.events > 0) text += ", " + std::to_string(damage.events) + (damage.events == 1 ? " event" : " events");
  return text;
}

void print_file(const CheckedFile& file) {
  const log::FileCheck& check = file.check;
  if (file.unreadable) {
    std::printf("UNREADABLE  %s: %s\n", file.name.c_str(), printable(*file.unreadable).c_str());
    return;
  }
  if (!file.note.empty()) {
    std::printf("set aside   %s: %s\n", file.name.c_str(), file.note.c_str());
    return;
  }
  std::string line = (check.sound() ? "ok          " : "DAMAGED     ") + file.name;
  if (*file.what) line += "  " + std::to_string(check.events) + " " + file.what;
  if (!check.sound()) {
    line += ", " + std::to_string(check.damages_in_all) + (check.damages_in_all == 1 ? " place" : " places") +
            " damaged, " + std::to_string(check.damaged_events) + " events lost";
  }
  std::printf("%s\n", line.c_str());
  for (const log::Damage& damage : check.damages) {
    std::printf("            %s\n", printable(damage.place + ": " + damage.what + ids_text(damage)).c_str());
  }
  if (check.damages_in_all > check.damages.size()) {
    std::printf("            and %llu more\n",
                static_cast<unsigned long long>(check.damages_in_all - check.damages.size()));
  }
}

void append_member(const char* name, std::string_view text, std::string& json) {
  json += std::string("\"") + name + "\":";
  codec::append_json_string(text, json);
}

void append_id(const char* name, model::EventId id, std::string& json) {
  json += std::string(",\"") + name + "\":" + (id.is_zero() ? "null" : "\"" + id.text() + "\"");
}

void append_damage(const log::Damage& damage, std::string& json) {
  json += '{';
  append_member("place", damage.place, json);
  json += ',';
  append_member("what", damage.what, json);
  append_id("first", damage.first, json);
  append_id("last", damage.last, json);
  json += ",\"events\":" + std::to_string(damage.events) + "}";
}

void append_file(const CheckedFile& file, std::string& json) {
  const log::FileCheck& check = file.check;
  json += '{';
  append_member("file", file.name, json);
  json += std::string(",\"sound\":") + (check.sound() && !file.unreadable ? "true" : "false");
  if (*file.what) json += std::string(",\"") + file.what + "\":" + std::to_string(check.events);
  append_id("first", check.first, json);
  append_id("last", check.last, json);
  json += ",\"damagedPlaces\":" + std::to_string(check.damages_in_all) +
          ",\"damagedEvents\":" + std::to_string(check.damaged_events) + ",\"damages\":[";
  for (const log::Damage& damage : check.damages) {
    if (&damage != &check.damages.front()) json += ',';
    append_damage(damage, json);
  }
  json += ']';
  if (file.unreadable) append_member("unreadable", *file.unreadable, json += ',');
  if (!file.note.empty()) append_member("setAside", file.note, json += ',');
  json += '}';
}

std::string as_json(const std::string& directory, const std::vector<CheckedFile>& files, bool sound) {
  std::string json = "{";
  append_member("directory", directory, json);
  json += std::string(",\"sound\":") + (sound ? "true" : "false") + ",\"files\":[";
  for (const CheckedFile& file : files) {
    if (&file != &files.front()) json += ',';
    json += '\n';
    append_file(file, json);
  }
  return json + "\n]}\n";
}

}  // namespace

Result<int> run_check_data(const Config& config, bool json) {
  std::error_code ignored;
  const Result<ScratchDirectory> scratch =
      ScratchDirectory::make((fs::temp_directory_path(ignored) / "millstream-check-").string());
  if (!scratch) return scratch.error();
  const std::string& directory = config.server.data_directory;
  Result<std::vector<CheckedFile>> files = std::vector<CheckedFile>{};
  {
    ProgressLine progress;
    files = DataCheck(directory, scratch->path() + "/copy").run(progress);
  }
  if (!files) return files.error();
  uint64_t events = 0;
  size_t damaged = 0;
  size_t unreadable = 0;
  for (const CheckedFile& file : *files) {
    if (file.what == std::string_view("events")) events += file.check.events;
    if (!file.check.sound()) ++damaged;
    if (file.unreadable) ++unreadable;
  }
  if (json) {
    std::fputs(as_json(directory, *files, damaged + unreadable == 0).c_str(), stdout);
  } else {
    for (const CheckedFile& file : *files) print_file(file);
    std::printf("%zu files, %llu events, %s\n", files->size(), static_cast<unsigned long long>(events),
                damaged == 0 ? "no damage found" : (std::to_string(damaged) + " damaged").c_str());
  }
  if (unreadable > 0) return Error{Code::internal, std::to_string(unreadable) + " files could not be looked at"};
  return damaged == 0 ? 0 : 1;
}

}  // namespace millstream::app
