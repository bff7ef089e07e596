#include "influx/dead_letters.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/log_line.h"
#include "base/time_text.h"
#include "base/unique_fd.h"

namespace millstream::influx {

void DeadLetters::add(std::string_view line, std::string_view reason, int64_t now_ms) {
  std::string text = "# " + rfc3339_ms(now_ms) + " ";
  for (const char c : reason) text += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  text.append("\n").append(line);
  struct stat info {};
  const bool is_full = ::stat(path_.c_str(), &info) == 0 &&
                       info.st_size + static_cast<int64_t>(text.size()) > bytes_max_ / 2 && info.st_size > 0;
  if (is_full) std::rename(path_.c_str(), (path_ + ".1").c_str());
  const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())) return;
  log_warning("a line that InfluxDB refuses could not be kept", {{"file", path_}, {"reason", std::strerror(errno)}});
}

}  // namespace millstream::influx
