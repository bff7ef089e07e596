#include "app/backup_manifest.h"

#include <simdjson.h>

#include <algorithm>
#include <unordered_set>

#include "base/time_text.h"
#include "codec/event_json.h"
#include "log/hour_file.h"

namespace millstream::app {
namespace {

constexpr int64_t kFormat = 1;
constexpr size_t kSha256Digits = 64;

Error wrong(const std::string& what) { return {Code::invalid, "manifest.json: " + what}; }

bool is_sha256(std::string_view text) {
  return text.size() == kSha256Digits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

// A member that must be there; false: it is not, or not of this type.
template <class T>
bool read(simdjson::dom::element object, std::string_view name, T& out) {
  return object.at_key(name).get(out) == simdjson::SUCCESS;
}

bool read(simdjson::dom::element object, std::string_view name, std::string& out) {
  std::string_view text;
  if (object.at_key(name).get(text) != simdjson::SUCCESS) return false;
  out = text;
  return true;
}

Result<BackupFile> read_file(simdjson::dom::element element) {
  BackupFile file;
  if (!read(element, "name", file.name) || !is_backup_name(file.name)) {
    return wrong("files: \"" + file.name + "\" is no file of a backup");
  }
  if (!read(element, "bytes", file.bytes) || file.bytes > INT64_MAX) return wrong("files: bytes of " + file.name);
  if (!read(element, "sha256", file.sha256) || !is_sha256(file.sha256)) return wrong("files: sha256 of " + file.name);
  return file;
}

Status read_files(simdjson::dom::array files, BackupManifest& manifest) {
  std::unordered_set<std::string> names;
  for (const simdjson::dom::element element : files) {
    Result<BackupFile> file = read_file(element);
    if (!file) return file.error();
    if (!names.insert(file->name).second) return wrong("files: " + file->name + " is named twice");
    if (names.size() > kBackupFilesMax) return wrong("files: more than " + std::to_string(kBackupFilesMax));
    manifest.files.push_back(std::move(*file));
  }
  // What adds up to more than a number holds is no size.
  uint64_t left = INT64_MAX;
  for (const BackupFile& file : manifest.files) {
    if (file.bytes > left) return wrong("files: bytes add up to too much");
    left -= file.bytes;
  }
  return {};
}

}  // namespace

uint64_t BackupManifest::bytes() const {
  uint64_t sum = 0;
  for (const BackupFile& file : files) sum += file.bytes;
  return sum;
}

bool is_backup_name(std::string_view name) {
  if (name == "registry.db" || name == "self-signed.pem") return true;
  if (!name.starts_with("log/")) return false;
  name.remove_prefix(4);
  if (name == "checkpoints.db" || log::parse_hour_file_name(name)) return true;
  if (name.ends_with("-wal")) name.remove_suffix(4);
  return log::parse_set_aside_name(name).has_value();
}

std::string encode_manifest(const BackupManifest& manifest) {
  std::string json = "{\"format\":" + std::to_string(kFormat) + ",\"version\":";
  codec::append_json_string(manifest.version, json);
  json += ",\"createdAt\":\"" + rfc3339_ms(manifest.created_at_ms) + "\",\"node\":";
  codec::append_json_string(manifest.node, json);
  json += ",\"lastId\":\"" + manifest.last_id.text() + "\",\"files\":[";
  for (const BackupFile& file : manifest.files) {
    if (&file != &manifest.files.front()) json += ',';
    json += "\n{\"name\":\"" + file.name + "\",\"bytes\":" + std::to_string(file.bytes) + ",\"sha256\":\"" +
            file.sha256 + "\"}";
  }
  return json + "\n]}\n";
}

Result<BackupManifest> parse_manifest(std::string_view json) {
  if (json.size() > kManifestBytesMax) return wrong("too large");
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  if (parser.parse(simdjson::padded_string(json)).get(root) != simdjson::SUCCESS) return wrong("not JSON");
  int64_t format = 0;
  if (!read(root, "format", format) || format < 1) return wrong("format");
  if (format > kFormat) return Error{Code::conflict, "the backup is of a later version; restore it with that one"};
  BackupManifest manifest;
  std::string created;
  std::string last;
  simdjson::dom::array files;
  if (!read(root, "version", manifest.version)) return wrong("version");
  if (!read(root, "node", manifest.node)) return wrong("node");
  if (!read(root, "createdAt", created)) return wrong("createdAt");
  if (!read(root, "lastId", last)) return wrong("lastId");
  if (!read(root, "files", files)) return wrong("files");
  const Result<int64_t> created_at_ms = parse_rfc3339(created);
  if (!created_at_ms) return wrong("createdAt: not RFC 3339");
  manifest.created_at_ms = *created_at_ms;
  const std::optional<model::EventId> last_id = model::EventId::parse(last);
  if (!last_id) return wrong("lastId: not an id");
  manifest.last_id = *last_id;
  if (Status s = read_files(files, manifest); !s) return s.error();
  return manifest;
}

}  // namespace millstream::app
