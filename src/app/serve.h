// app/serve.h: the life of the server process: start, serve, drain, stop.
//
// Flow     wiring builds everything; SIGTERM and SIGINT drain (a second one stops at once); the exit code is the
// result. Errors   start-up failures: one clear line on standard error, exit code 2. Thread   startup: blocks until the
// end
#pragma once

#include <string>

#include "app/config.h"

namespace millstream::app {

int run_serve(const Config& config, const std::string& version);

}  // namespace millstream::app
