#include "app/existing_registry.h"

namespace millstream::app {

Result<std::unique_ptr<registry::Registry>> open_existing_registry(const Config& config, const char* what) {
  const std::string& directory = config.server.data_directory;
  if (registry::Registry::exists(directory)) return registry::Registry::open(directory);
  return Error{Code::not_found, std::string("no ") + what + " are stored in " + directory +
                                    "; name the server's own with --config FILE or --data-directory DIR"};
}

}  // namespace millstream::app
