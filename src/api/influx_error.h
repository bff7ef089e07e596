// api/influx_error.h: errors in the shapes of InfluxDB, which its clients read their next step from.
//
// Thread   value
// Source   InfluxDB 1.12 httpd handler.go; InfluxDB 2.7 http/errors.go
#pragma once

#include <string_view>

#include "http/message.h"

namespace millstream::api {

// {"error":…} and X-InfluxDB-Error.
http::Response influx_v1_error(int status, std::string_view message);
// {"code":…,"message":…} and X-Platform-Error-Code.
http::Response influx_v2_error(int status, std::string_view message);

// An error that no handler has made, in the shape its path is known for: one of the above on the paths of InfluxDB,
// else a problem. `path` is empty when it is not known.
http::Response error_at(std::string_view path, int status, std::string_view detail);

}  // namespace millstream::api
