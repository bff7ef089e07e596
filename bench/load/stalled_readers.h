// load/stalled_readers.h: viewers that ask for the stream and never read it: what a server must bear beside healthy
// ones.
//
// Errors   Code::unavailable when one cannot connect. That the server ends them is what it should do.
// Thread   value
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "load/socket.h"

namespace millstream::load {

// Opens `count` of them; they last as long as the sockets given back.
Result<std::vector<Socket>> open_stalled_readers(const Endpoint& to, const std::string& request, size_t count);

}  // namespace millstream::load
