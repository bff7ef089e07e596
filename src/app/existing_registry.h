// app/existing_registry.h: the registry that a command line is to look at or change.
//
// Errors   Code::not_found where there is none: a directory without one is more likely the wrong one than an empty one.
// Thread   startup
#pragma once

#include <memory>

#include "app/config.h"
#include "registry/registry.h"

namespace millstream::app {

// `what`: what the command is about, in the plural.
Result<std::unique_ptr<registry::Registry>> open_existing_registry(const Config& config, const char* what);

}  // namespace millstream::app
