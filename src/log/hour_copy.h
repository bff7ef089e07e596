// log/hour_copy.h: an hour file copied while its writer, in another process, goes on.
//
// Flow     A file without a WAL is taken as it is. Else its rows are copied in slices, each a read transaction of its
//          own, until one slice has come to the end of every table: what is there then is one state of the file. That
//          works because rows are only ever added in the order of their keys; of blocks, which are removed once their
//          window is closed, those of closed windows are removed from the copy as well. A single read transaction over
//          the whole file, as VACUUM INTO has it, would keep the WAL from beginning again for as long as it takes, and
//          the log's thread would have all of it to copy afterwards, between two commits.
// Limits   4 MiB of rows a transaction; when the writer outran that for as long as twice the file takes, the last one
//          takes the rest.
// Errors   Code::not_found: retention removed it. Code::corrupt: its pages are damaged. Rows that fail their check are
//          copied as they are.
// Thread   any; blocking
#pragma once

#include <string>

#include "base/result.h"

namespace millstream::log {

// `to` must not be there yet; it has mode 0600 and no WAL.
Status copy_hour_file(const std::string& path, const std::string& to);

}  // namespace millstream::log
