// load/target_options.h: the flags that viewers, idle and ingest share: which server, and which process it is.
//
// Thread   value
#pragma once

#include <string>

#include "base/result.h"
#include "load/cost.h"
#include "load/options.h"
#include "load/socket.h"

namespace millstream::load {

struct TargetOptions {
  Endpoint server;
  ServerCost cost;
  std::string extra_headers;  // "" or lines ending in CR LF

  // Also checks that no flag was wrong or unknown: ask for your own flags before.
  static Result<TargetOptions> read(Options& options);
};

}  // namespace millstream::load
