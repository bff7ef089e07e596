#include "app/backup_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include "base/check.h"
#include "base/hex.h"
#include "base/unique_fd.h"

namespace millstream::app {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr const char* kLevel = "3";

Error system_error(const std::string& what) {
  const int error = errno;
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  return {full ? Code::storage_full : Code::internal, what + ": " + std::strerror(error)};
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new()) {
    MS_CHECK(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
  }
  void add(const char* bytes, size_t size) { MS_CHECK(EVP_DigestUpdate(context_.get(), bytes, size) == 1); }
  std::string finish() {
    std::array<unsigned char, 32> digest;
    MS_CHECK(EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return hex_text({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

struct FreeEntry {
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};
using Entry = std::unique_ptr<archive_entry, FreeEntry>;

// Calls `take` with piece after piece of the file.
Status read_file(const std::string& path, const std::function<Status(const char*, size_t)>& take) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return system_error(path);
  std::vector<char> buffer(kBufferBytes);
  while (true) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got == 0) return {};
    if (got < 0 && errno != EINTR) return system_error(path);
    if (got < 0) continue;
    if (Status s = take(buffer.data(), static_cast<size_t>(got)); !s) return s;
  }
}

// --- writing ---------------------------------------------------------------------------------------------------------

struct FreeWriter {
  void operator()(archive* writer) const { archive_write_free(writer); }
};

class Writer {
 public:
  explicit Writer(int64_t mtime_s) : archive_(archive_write_new()), mtime_s_(mtime_s) { MS_CHECK(archive_); }

  Status open(int fd) {
    archive* to = archive_.get();
    const bool opened =
        archive_write_set_format_pax_restricted(to) == ARCHIVE_OK && archive_write_add_filter_zstd(to) == ARCHIVE_OK &&
        archive_write_set_filter_option(to, "zstd", "compression-level", kLevel) == ARCHIVE_OK &&
        // No zeros after the compressed bytes, as tapes want them.
        archive_write_set_bytes_in_last_block(to, 1) == ARCHIVE_OK && archive_write_open_fd(to, fd) == ARCHIVE_OK;
    return opened ? Status() : Status(error());
  }

  Status begin(std::string_view name, uint64_t bytes) {
    const Entry entry(archive_entry_new());
    MS_CHECK(entry);
    archive_entry_set_pathname(entry.get(), std::string(name).c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), 0600);
    archive_entry_set_uid(entry.get(), ::geteuid());
    archive_entry_set_gid(entry.get(), ::getegid());
    archive_entry_set_mtime(entry.get(), mtime_s_, 0);
    archive_entry_set_size(entry.get(), static_cast<int64_t>(bytes));
    return archive_write_header(archive_.get(), entry.get()) == ARCHIVE_OK ? Status() : Status(error());
  }
  Status write(const char* bytes, size_t size) {
    const la_ssize_t written = archive_write_data(archive_.get(), bytes, size);
    return written == static_cast<la_ssize_t>(size) ? Status() : Status(error());
  }
  Status finish() { return archive_write_close(archive_.get()) == ARCHIVE_OK ? Status() : Status(error()); }

 private:
  Error error() const {
    const int number = archive_errno(archive_.get());
    const char* text = archive_error_string(archive_.get());
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return {full ? Code::storage_full : Code::internal,
            std::string("cannot write the backup: ") + (text ? text : "a file is not what it was")};
  }

  std::unique_ptr<archive, FreeWriter> archive_;
  const int64_t mtime_s_;
};

Status write_file(Writer& writer, const BackupFile& file, const std::string& directory, const Progress& progress) {
  if (Status s = writer.begin(file.name, file.bytes); !s) return s;
  Sha256 sha256;
  const Status written = read_file(directory + "/" + file.name, [&](const char* bytes, size_t size) {
    sha256.add(bytes, size);
    const Status s = writer.write(bytes, size);
    return s ? progress(size) : s;
  });
  if (!written) return written;
  if (sha256.finish() == file.sha256) return {};
  return Error{Code::internal, directory + "/" + file.name + " was changed while it was backed up"};
}

// --- reading ---------------------------------------------------------------------------------------------------------

struct FreeReader {
  void operator()(archive* reader) const { archive_read_free(reader); }
};

Error damaged(const std::string& what) { return {Code::invalid, "not a sound backup: " + what}; }

class Reader {
 public:
  Reader() : archive_(archive_read_new()) { MS_CHECK(archive_); }

  Status open(int fd) {
    archive* from = archive_.get();
    // Nothing but what write_backup() makes: every further format is a parser more to trust.
    const bool opened = archive_read_support_filter_zstd(from) >= ARCHIVE_WARN &&
                        archive_read_support_format_tar(from) == ARCHIVE_OK &&
                        archive_read_open_fd(from, fd, kBufferBytes) == ARCHIVE_OK;
    return opened ? Status() : Status(error("not a tar archive compressed with zstd"));
  }

  // False: there are no more. Else `name` and `bytes` are those of a regular file.
  Result<bool> next(std::string& name, int64_t& bytes) {
    archive_entry* entry = nullptr;
    const int got = archive_read_next_header(archive_.get(), &entry);
    if (got == ARCHIVE_EOF) return false;
    if (got != ARCHIVE_OK) return error("an entry cannot be read");
    const char* path = archive_entry_pathname(entry);
    name = path ? path : "";
    bytes = archive_entry_size(entry);
    const bool plain = archive_entry_filetype(entry) == AE_IFREG && !archive_entry_hardlink(entry) &&
                       !archive_entry_symlink(entry) && archive_entry_size_is_set(entry) && bytes >= 0;
    if (!plain) return damaged("\"" + name + "\" is not a regular file");
    return true;
  }

  // Calls `take` with piece after piece of the entry, holes filled in; no more than `bytes` of them.
  Status read(uint64_t bytes, const std::function<Status(const char*, size_t)>& take) {
    std::vector<char> buffer(kBufferBytes);
    while (true) {
      const la_ssize_t got = archive_read_data(archive_.get(), buffer.data(), buffer.size());
      if (got == 0) return bytes == 0 ? Status() : Status(damaged("a file is cut off"));
      if (got < 0) return error("a file cannot be read");
      if (static_cast<uint64_t>(got) > bytes) return damaged("a file is longer than it says");
      bytes -= static_cast<uint64_t>(got);
      if (Status s = take(buffer.data(), static_cast<size_t>(got)); !s) return s;
    }
  }

 private:
  Error error(const std::string& what) const {
    const char* text = archive_error_string(archive_.get());
    return damaged(what + (text ? " (" + std::string(text) + ")" : ""));
  }

  std::unique_ptr<archive, FreeReader> archive_;
};

Result<BackupManifest> read_manifest(Reader& reader) {
  std::string name;
  int64_t bytes = 0;
  const Result<bool> there = reader.next(name, bytes);
  if (!there) return there.error();
  if (!*there || name != kManifestName) return damaged("it does not begin with " + std::string(kManifestName));
  if (bytes > static_cast<int64_t>(kManifestBytesMax)) return damaged("its manifest is too large");
  std::string json;
  const Status read = reader.read(static_cast<uint64_t>(bytes), [&](const char* piece, size_t size) -> Status {
    json.append(piece, size);
    return {};
  });
  if (!read) return read.error();
  return parse_manifest(json);
}

Status write_all(int fd, const char* bytes, size_t size, const std::string& path) {
  while (size > 0) {
    const ssize_t written = ::write(fd, bytes, size);
    if (written < 0 && errno != EINTR) return system_error(path);
    if (written < 0) continue;
    bytes += written;
    size -= static_cast<size_t>(written);
  }
  return {};
}

Status unpack_file(Reader& reader, const BackupFile& file, const std::string& directory, const Progress& progress) {
  const std::string path = directory + "/" + file.name;
  const UniqueFd out(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) return system_error(path);
  Sha256 sha256;
  const Status unpacked = reader.read(file.bytes, [&](const char* bytes, size_t size) {
    sha256.add(bytes, size);
    const Status s = write_all(out.get(), bytes, size, path);
    return s ? progress(size) : s;
  });
  if (!unpacked) return Error{unpacked.error().code, file.name + ": " + unpacked.error().detail};
  if (sha256.finish() != file.sha256) return damaged(file.name + " does not have the SHA-256 of the manifest");
  if (::fsync(out.get()) != 0) return system_error(path);
  return {};
}

}  // namespace

Result<BackupFile> describe_file(const std::string& path, const Progress& progress) {
  BackupFile file;
  Sha256 sha256;
  const Status read = read_file(path, [&](const char* bytes, size_t size) {
    sha256.add(bytes, size);
    file.bytes += size;
    return progress(size);
  });
  if (!read) return read.error();
  file.sha256 = sha256.finish();
  return file;
}

Status write_backup(int fd, const BackupManifest& manifest, const std::string& directory, const Progress& progress) {
  Writer writer(manifest.created_at_ms / 1000);
  if (Status s = writer.open(fd); !s) return s;
  const std::string json = encode_manifest(manifest);
  if (Status s = writer.begin(kManifestName, json.size()); !s) return s;
  if (Status s = writer.write(json.data(), json.size()); !s) return s;
  for (const BackupFile& file : manifest.files) {
    if (Status s = write_file(writer, file, directory, progress); !s) return s;
  }
  return writer.finish();
}

Result<BackupManifest> read_backup(int fd, const std::string& directory,
                                   const std::function<Status(const BackupManifest&)>& begin,
                                   const Progress& progress) {
  Reader reader;
  if (Status s = reader.open(fd); !s) return s.error();
  Result<BackupManifest> manifest = read_manifest(reader);
  if (!manifest) return manifest.error();
  if (Status s = begin(*manifest); !s) return s.error();
  if (::mkdir((directory + "/log").c_str(), 0700) != 0) return system_error(directory + "/log");
  std::map<std::string_view, const BackupFile*> left;
  for (const BackupFile& file : manifest->files) left.emplace(file.name, &file);
  while (true) {
    std::string name;
    int64_t bytes = 0;
    const Result<bool> there = reader.next(name, bytes);
    if (!there) return there.error();
    if (!*there) break;
    const auto found = left.find(name);
    if (found == left.end()) return damaged("\"" + name + "\" is not in its manifest, or there twice");
    const BackupFile& file = *found->second;
    left.erase(found);
    if (static_cast<uint64_t>(bytes) != file.bytes) return damaged(name + " is not as long as the manifest says");
    if (Status s = unpack_file(reader, file, directory, progress); !s) return s.error();
  }
  if (!left.empty()) return damaged(std::string(left.begin()->first) + " is missing");
  return manifest;
}

}  // namespace millstream::app
