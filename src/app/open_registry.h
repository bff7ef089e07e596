// app/open_registry.h: the registry and the tickets where the settings say they are: in PostgreSQL, or in the data
// directory.
//
// Errors   as registry/registry.h. Code::not_found of open_existing_registry() where there is none: a place without one
//          is more likely the wrong one than an empty one.
// Thread   startup
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "registry/registry.h"
#include "registry/tickets.h"

namespace millstream::app {

registry::PostgresOptions postgres_options(const Config& config);
std::string registry_place(const Config& config);  // for people

Result<std::unique_ptr<registry::Registry>> open_registry(const Config& config, registry::RegistryOptions options = {});
Result<std::unique_ptr<registry::Tickets>> open_tickets(const Config& config);
Result<bool> registry_exists(const Config& config);
// `what`: what the command is about, in the plural.
Result<std::unique_ptr<registry::Registry>> open_existing_registry(const Config& config, const char* what);

// For servers: PostgreSQL may be starting as well, so it is tried for a while.
Result<std::unique_ptr<registry::Registry>> await_registry(const Config& config, registry::RegistryOptions options);
Result<bool> await_registry_exists(const Config& config);

}  // namespace millstream::app
