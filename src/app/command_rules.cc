// millstream rules test: goes through scenarios of rules and says which came otherwise than they expect.
#include <cstdio>

#include "app/commands.h"
#include "app/scenario_file.h"

namespace millstream::app {

Result<int> run_rules_test(const std::vector<std::string>& files) {
  size_t count = 0, failed = 0;
  for (const std::string& file : files) {
    const Result<std::vector<rules::Scenario>> scenarios = read_scenarios(file);
    if (!scenarios) return scenarios.error();
    for (const rules::Scenario& scenario : *scenarios) {
      const std::optional<std::string> otherwise = rules::run_scenario(scenario);
      ++count;
      failed += otherwise ? 1 : 0;
      std::printf("%s  %s: %s\n", otherwise ? "FAILED" : "ok    ", file.c_str(), scenario.name.c_str());
      if (otherwise) std::printf("        %s\n", otherwise->c_str());
    }
  }
  std::printf("%zu scenarios, %zu failed\n", count, failed);
  return failed == 0 ? 0 : 1;
}

}  // namespace millstream::app
