// app/scenario_file.h: rule scenarios as people write them.
//
// Shapes   YAML, one scenario a document:
//            name: …
//            rules: [a rule as in the API, …]         # the scope may be left out: every device
//            steps:
//              - at: 10s                              # since the beginning; steps are in order
//                device: site/device                  # left out: that of the step before, at first s/d
//                values: {T1: 71}                     # or status: offline, down: 1h, ack: {by: …, note: …}, unack: …,
//                                                     # close: …, save: {a rule}, delete: a rule's id,
//                                                     # attributes: {T1_warn: 60} and parent: a gateway of the site
//                                                     # (what is not given is none), or nothing of it: time alone
//                tags: {model: x}                     # with values
//                ts: 8s                               # with values: the device's time, if it is another
//                expect: [{state: firing, severity: warning, …}, …]
//          `begin` is the moment the steps count from, RFC 3339; without, 2026-01-27T12:00:00Z.
// Errors   Code::invalid: "<file>:12: …".
// Thread   value
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "rules/scenario.h"

namespace millstream::app {

Result<std::vector<rules::Scenario>> read_scenarios(const std::string& file);

}  // namespace millstream::app
