// app/backup_archive.h: the one file that a backup is: a tar archive, compressed with zstd.
//
// Shapes   manifest.json first, then the files it lists, in that order, with their paths in the data directory:
//          `tar --zstd -xf FILE -C DIRECTORY` gives a data directory too.
// Limits   Of the archive nothing is written but the names of is_backup_name(), each once, as a regular file, with as
//          many bytes as the manifest says; no more than the disk has room for.
// Errors   Code::invalid: no backup, or a damaged one; names the file in it. Code::storage_full.
// Thread   any; blocking
// Source   libarchive.org; POSIX.1-2001 pax interchange format
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "app/backup_manifest.h"
#include "base/result.h"

struct archive;

namespace millstream::app {

// Told of every few MiB that are done; an error ends the work.
using Progress = std::function<Status(uint64_t bytes)>;

// Of a file, in hexadecimal digits, with its size.
Result<BackupFile> describe_file(const std::string& path, const Progress& progress);

// Writes the manifest and its files, which lie in `directory`, to `fd`. A file that is not what the manifest says is an
// error.
Status write_backup(int fd, const BackupManifest& manifest, const std::string& directory, const Progress& progress);

// `begin` is given the manifest before anything is written to `directory`. Every file is checked and on the disk (mode
// 0600) when it returns; after an error what is there is of no use.
Result<BackupManifest> read_backup(int fd, const std::string& directory,
                                   const std::function<Status(const BackupManifest&)>& begin, const Progress& progress);

}  // namespace millstream::app
