// api/influx_error.h: errors in the shapes of InfluxDB, which its clients read their next step from.
//
// Thread   value
// Source   InfluxDB 1.12 httpd handler.go; InfluxDB 2.7 http/errors.go; InfluxDB 3's answers to write_lp
#pragma once

#include <string_view>

#include "http/message.h"

namespace millstream::api {

// {"error":…} and X-InfluxDB-Error.
http::Response influx_v1_error(int status, std::string_view message);
// {"code":…,"message":…} and X-Platform-Error-Code.
http::Response influx_v2_error(int status, std::string_view message);
// {"error":…,"code":…,"message":…}, for version 3 and what reads only 1 or 2, with the headers of both. `data`: JSON
// about the lines at fault, in the place where version 3 has it; empty: there is none. `message`: empty: as `error`.
http::Response influx_v3_error(int status, std::string_view error, std::string_view message = {},
                               std::string_view data = {});

// An error that no handler has made, in the shape its path is known for: one of the above on the paths of InfluxDB,
// else a problem. `path` is empty when it is not known.
http::Response error_at(std::string_view path, int status, std::string_view detail);

}  // namespace millstream::api
