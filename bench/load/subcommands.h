// load/subcommands.h: the programs behind `millstream-load <name>`.
//
// Shapes   each prints one JSON object on standard output (limit: one line when it is ready) and gives back a Status.
// Thread   startup
#pragma once

#include "base/result.h"
#include "load/options.h"

namespace millstream::load {

Status run_viewers(Options& options);
Status run_idle(Options& options);
Status run_ingest(Options& options);
Status run_day(Options& options);
Status run_get(Options& options);
Status run_resume(Options& options);
Status run_limit(Options& options);  // until it is told to end

}  // namespace millstream::load
