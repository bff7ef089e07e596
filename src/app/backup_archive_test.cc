#include "app/backup_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "app/scratch_directory.h"
#include "base/unique_fd.h"

namespace millstream::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kHourFile = "log/events-491520.db";
const Progress kSilent = [](uint64_t) { return Status(); };

// What an archive of a hostile hand may hold.
struct Part {
  std::string name;
  std::string bytes;
  int type = AE_IFREG;
  std::string link = {};  // hard link to
};

class BackupArchive : public ::testing::Test {
 protected:
  BackupArchive() : scratch_(*ScratchDirectory::make(::testing::TempDir() + "millstream-archive-")) {
    fs::create_directories(from() + "/log");
    fs::create_directories(to());
  }
  std::string from() const { return scratch_.path() + "/from"; }
  std::string to() const { return scratch_.path() + "/to"; }
  std::string file() const { return scratch_.path() + "/backup.tar.zst"; }

  static void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  static std::string read_text(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  }
  BackupFile add(const std::string& name, const std::string& text) {
    write_text(from() + "/" + name, text);
    BackupFile described = *describe_file(from() + "/" + name, kSilent);
    described.name = name;
    return described;
  }
  BackupManifest two_files() {
    return {.version = "1.2.3",
            .created_at_ms = 1'770'000'000'000,
            .node = "here",
            .last_id = {1'770'000'000'000, 7},
            .files = {add(kHourFile, std::string(3'000'000, 'e')), add("registry.db", "registry")}};
  }
  Status write(const BackupManifest& manifest) {
    const UniqueFd out(::open(file().c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    return write_backup(out.get(), manifest, from(), kSilent);
  }
  Result<BackupManifest> read() {
    const UniqueFd in(::open(file().c_str(), O_RDONLY));
    return read_backup(
        in.get(), to(), [](const BackupManifest&) { return Status(); }, kSilent);
  }
  // Neither our own writer nor its rules.
  void write_parts(const std::vector<Part>& parts, bool zstd = true) {
    archive* out = archive_write_new();
    archive_write_set_format_pax_restricted(out);
    if (zstd) archive_write_add_filter_zstd(out);
    ASSERT_EQ(archive_write_open_filename(out, file().c_str()), ARCHIVE_OK);
    for (const Part& part : parts) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, part.name.c_str());
      archive_entry_set_filetype(entry, static_cast<unsigned>(part.type));
      archive_entry_set_perm(entry, 0777);
      archive_entry_set_size(entry, static_cast<int64_t>(part.bytes.size()));
      if (part.type == AE_IFLNK) archive_entry_set_symlink(entry, "/etc/passwd");
      if (!part.link.empty()) archive_entry_set_hardlink(entry, part.link.c_str());
      ASSERT_GE(archive_write_header(out, entry), ARCHIVE_WARN) << part.name;
      archive_write_data(out, part.bytes.data(), part.bytes.size());
      archive_entry_free(entry);
    }
    archive_write_close(out);
    archive_write_free(out);
  }
  // Of parts whose manifest is as it should be, or names what no manifest may name.
  Part manifest_of(const std::vector<Part>& parts) {
    BackupManifest manifest{.version = "1", .created_at_ms = 0, .node = "x", .last_id = {}, .files = {}};
    for (const Part& part : parts) {
      write_text(scratch_.path() + "/part", part.bytes);
      BackupFile described = *describe_file(scratch_.path() + "/part", kSilent);
      described.name = part.name;
      manifest.files.push_back(described);
    }
    return {.name = "manifest.json", .bytes = encode_manifest(manifest)};
  }
  void expect_refused(const std::string& why) {
    fs::remove_all(to());
    fs::create_directories(to());
    const Result<BackupManifest> read_back = read();
    ASSERT_FALSE(read_back.ok()) << why;
    EXPECT_EQ(read_back.error().code, Code::invalid) << read_back.error().detail;
    EXPECT_NE(read_back.error().detail.find(why), std::string::npos) << read_back.error().detail;
    for (const auto& entry : fs::recursive_directory_iterator(scratch_.path())) {
      EXPECT_NE(entry.path().filename(), "escaped") << entry.path();
    }
  }

  ScratchDirectory scratch_;
};

TEST_F(BackupArchive, WhatIsWrittenIsReadBackAndPrivate) {
  const BackupManifest manifest = two_files();
  ASSERT_TRUE(write(manifest).ok());
  EXPECT_LT(fs::file_size(file()), 100'000u) << "it is compressed";
  const Result<BackupManifest> read_back = read();
  ASSERT_TRUE(read_back.ok()) << read_back.error().detail;
  EXPECT_EQ(read_back->files, manifest.files);
  EXPECT_EQ(read_back->last_id, manifest.last_id);
  EXPECT_EQ(read_back->created_at_ms, manifest.created_at_ms);
  EXPECT_EQ(read_text(to() + "/" + kHourFile), std::string(3'000'000, 'e'));
  EXPECT_EQ(fs::status(to() + "/registry.db").permissions(), fs::perms(0600));
}

TEST_F(BackupArchive, AFileThatChangedSinceItWasDescribedIsNotWritten) {
  BackupManifest manifest = two_files();
  write_text(from() + "/registry.db", "registrY");
  EXPECT_FALSE(write(manifest).ok());
}

TEST_F(BackupArchive, NamesThatLeadElsewhereAreRefused) {
  for (const char* name :
       {"../escaped", "/escaped", "log/../../escaped", "log/escaped", "escaped", "log/events-1.db/../x", "log/lock",
        "tickets.db", "", ".", "log", "log/", "./registry.db", "log//events-1.db", "log/events-01.db",
        "log/events-1.db-wal", "log/events-1.db.damaged-1-shm"}) {
    EXPECT_FALSE(is_backup_name(name)) << name;
    const Part part{.name = name, .bytes = "x"};
    write_parts({manifest_of({part}), part});
    expect_refused("is no file of a backup");
    if (*name == '\0') continue;
    write_parts({manifest_of({}), part});
    expect_refused(name[std::string_view(name).size() - 1] == '/' ? "" : "is not in its manifest");
  }
  for (const char* name : {"registry.db", "self-signed.pem", "log/checkpoints.db", "log/events-1.db",
                           "log/events-1.db.damaged-1", "log/events-1.db.damaged-1-wal"}) {
    EXPECT_TRUE(is_backup_name(name)) << name;
  }
}

TEST_F(BackupArchive, LinksAndDirectoriesAreRefused) {
  const Part plain{.name = "registry.db", .bytes = "x"};
  for (const int type : {AE_IFLNK, AE_IFDIR, AE_IFIFO, AE_IFCHR}) {
    write_parts({manifest_of({plain}), {.name = "registry.db", .bytes = "", .type = type}});
    expect_refused("is not a regular file");
  }
  const Part certificate{.name = "self-signed.pem", .bytes = ""};
  write_parts({manifest_of({plain, certificate}),
               plain,
               {.name = "self-signed.pem", .bytes = "", .type = AE_IFREG, .link = "/etc/passwd"}});
  expect_refused("is not a regular file");
}

TEST_F(BackupArchive, WhatTheManifestDoesNotSayIsRefused) {
  const Part a{.name = "registry.db", .bytes = "abc"};
  const Part b{.name = kHourFile, .bytes = "defg"};
  write_parts({a, manifest_of({a})});
  expect_refused("does not begin with manifest.json");
  write_parts({manifest_of({a, b}), a});
  expect_refused("log/events-491520.db is missing");
  write_parts({manifest_of({a}), a, a});
  expect_refused("or there twice");
  write_parts({manifest_of({a, a}), a});
  expect_refused("is named twice");
  write_parts({manifest_of({a}), {.name = a.name, .bytes = "abcd"}});
  expect_refused("not as long as the manifest says");
  write_parts({manifest_of({a}), {.name = a.name, .bytes = "abd"}});
  expect_refused("SHA-256");
  write_parts({{.name = "manifest.json", .bytes = "{"}, a});
  expect_refused("not JSON");
  write_parts({{.name = "manifest.json", .bytes = std::string(kManifestBytesMax + 1, ' ')}});
  expect_refused("too large");
}

TEST_F(BackupArchive, OtherFilesAreNoBackups) {
  write_text(file(), "");
  expect_refused("");
  write_text(file(), std::string(100'000, 'x'));
  expect_refused("");
  const Part a{.name = "registry.db", .bytes = "abc"};
  write_parts({manifest_of({a}), a});
  const std::string whole = read_text(file());
  for (const size_t size : {size_t{1}, size_t{20}, whole.size() / 2, whole.size() - 20}) {
    write_text(file(), whole.substr(0, size));
    expect_refused("not a sound backup");
  }
  for (size_t at = 0; at < whole.size(); at += 7) {
    std::string flipped = whole;
    flipped[at] = static_cast<char>(flipped[at] ^ 16);
    write_text(file(), flipped);
    fs::remove_all(to());
    fs::create_directories(to());
    const Result<BackupManifest> read_back = read();
    // What does not matter to the content (times, the frame's optional parts) may differ.
    EXPECT_TRUE(!read_back || read_text(to() + "/registry.db") == "abc") << at;
  }
}

TEST_F(BackupArchive, NothingIsWrittenWhenItsSizeIsRefused) {
  ASSERT_TRUE(write(two_files()).ok());
  const UniqueFd in(::open(file().c_str(), O_RDONLY));
  const Result<BackupManifest> read_back = read_backup(
      in.get(), to(),
      [](const BackupManifest& manifest) -> Status {
        EXPECT_EQ(manifest.bytes(), 3'000'008u);
        return Error{Code::storage_full, "no room"};
      },
      kSilent);
  EXPECT_EQ(read_back.error().code, Code::storage_full);
  EXPECT_TRUE(fs::is_empty(to()));
}

TEST(BackupManifest, OfALaterFormatIsAConflictAndWrongMembersAreNamed) {
  EXPECT_EQ(parse_manifest(R"({"format":2})").error().code, Code::conflict);
  const std::string good =
      encode_manifest({.version = "1", .created_at_ms = 5, .node = "n\"", .last_id = {}, .files = {}});
  ASSERT_TRUE(parse_manifest(good).ok());
  for (const char* member : {"version", "createdAt", "node", "lastId", "files"}) {
    std::string without = good;
    without.replace(without.find(member), 1, "X");
    const auto parsed = parse_manifest(without);
    ASSERT_FALSE(parsed.ok());
    EXPECT_NE(parsed.error().detail.find(member), std::string::npos) << parsed.error().detail;
  }
  const auto too_much = parse_manifest(
      R"({"format":1,"version":"1","createdAt":"2026-01-27T00:00:00Z","node":"n","lastId":"0-0","files":[)"
      R"({"name":"registry.db","bytes":9000000000000000000,"sha256":")" +
      std::string(64, 'a') + R"("},{"name":"self-signed.pem","bytes":9000000000000000000,"sha256":")" +
      std::string(64, 'a') + R"("}]})");
  ASSERT_FALSE(too_much.ok());
  EXPECT_NE(too_much.error().detail.find("add up"), std::string::npos) << too_much.error().detail;
}

}  // namespace
}  // namespace millstream::app
