#include "app/entry_readers.h"

#include "app/secret_file.h"

namespace millstream::app {

Status read_given_text(const Setting& setting, size_t bytes_max, std::string& target) {
  Result<std::string> text = read_text(setting);
  if (!text) return text.error();
  if (text->empty() || text->size() > bytes_max || text->find('\0') != std::string::npos) {
    return setting.wrong("must have 1 to " + std::to_string(bytes_max) + " bytes");
  }
  target = std::move(*text);
  return {};
}

Status read_name(const Setting& setting, std::string& target) {
  Result<std::string> text = read_text(setting);
  if (!text) return text.error();
  if (!model::is_name(*text)) return setting.wrong("must be 1 to 64 of A-Z a-z 0-9 . _ -");
  target = std::move(*text);
  return {};
}

Status read_secret(const Setting& setting, std::string& target) {
  const Result<std::string> path = read_text(setting);
  if (!path) return path.error();
  Result<std::string> secret = read_secret_file(*path);
  if (!secret) return setting.wrong(secret.error().detail);
  target = std::move(*secret);
  return {};
}

Status take_secret_file(const std::optional<Setting>& file, std::string_view other_key, std::string& target) {
  if (!file) return {};
  if (const Result<std::string> path = read_text(*file); !path) return path.error();
  if (!target.empty()) return file->wrong(std::string(other_key) + " is given too; keep one of them");
  return read_secret(*file, target);
}

Status read_account(const Setting& setting, model::AccountId& target) {
  const Result<std::string> text = read_text(setting);
  if (!text) return text.error();
  Result<model::AccountId> account = model::AccountId::parse(*text);
  if (!account) return setting.wrong(account.error().detail);
  target = std::move(*account);
  return {};
}

}  // namespace millstream::app
