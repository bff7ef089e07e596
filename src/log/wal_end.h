// log/wal_end.h: whether a write-ahead log that was left behind lost its end.
//
// Flow     SQLite takes the first frame that fails its checksum for the end, as it is after a commit that was cut off.
//          A commit that was finished leaves its last frame behind the one that fails: then something that was written
//          whole has been damaged since. (Of the very last commit a power cut can leave the same, when its frames
//          reached the disk out of order; nobody was told yes to that one.)
// Thread   value; blocking
// Source   sqlite.org/fileformat2.html#the_write_ahead_log
#pragma once

#include <string>

namespace millstream::log {

// False too when there is no such file.
bool wal_lost_its_end(const std::string& wal_path);

}  // namespace millstream::log
