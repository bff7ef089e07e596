// codec/collectd_json.h: what collectd's plugin write_http sends with Format JSON -> points.
//
// Shapes   An array of {values[], dsnames[], host, plugin, plugin_instance, type, type_instance, time}; what else there
//          is (dstypes, interval, meta) is passed over. `host` is the device, `time` seconds. One field a value, called
//          as write_graphite calls it: plugin-instance.type-instance, and .dsname where there are several or the one is
//          not "value": "cpu-0.cpu-idle", "interface-eth0.if_octets.rx". A value that collectd does not know (null) is
//          no field, and a point without any is none.
// Errors   As telemetry_json.h.
// Thread   value
// Source   collectd 5.12, format_json.c and format_graphite.c
#pragma once

#include <string_view>

#include "codec/telemetry_json.h"

namespace millstream::codec {

Result<ParsedPoints> parse_collectd_json(std::string_view body);

}  // namespace millstream::codec
