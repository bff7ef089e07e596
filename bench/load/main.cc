// millstream-load: load and measure a running server; README.md beside this folder says how to read the results.
#include <csignal>
#include <cstdio>
#include <map>
#include <string_view>

#include "load/socket.h"
#include "load/subcommands.h"

namespace {

constexpr char kUsage[] =
    "usage: millstream-load <viewers|idle|ingest|day|get|resume|limit> --key=value...\n"
    "  every one:  --server_pid=PID,... --server_core=0 --header='Name: value'\n"
    "  viewers     --url=http://127.0.0.1:8080 --viewers=1000 (--in_flight=4 | --rate=10) --seconds=5 "
    "--warmup_ms=1000\n"
    "              --stalled_readers=0 --publishers=16 --stream_path=/api/stream?... --publish_path=/api/ingest\n"
    "              --audiences=1 --devices_each=1 --others=0 --other_devices_each=1\n"
    "              --resumes=0 --resuming_at_once=256 and the rest as for resume\n"
    "              --publish_url=http://... --body=ingest|event|grip --opening=256\n"
    "              --gzip=1 --h2_streams=100\n"
    "  idle        --url= --viewers=10000 --hold_seconds=3\n"
    "  ingest      --url= --connections=16 --events=100 --fields=10 --format=json|line --seconds=5 --warmup_ms=1000\n"
    "              --events_in_all=0 (no limit) --rate=0 (events a second; 0: as fast as acknowledged)\n"
    "              --data=walk|fleet|history --devices=1600 --from_ms= --history_s=86340\n"
    "  day         --directory=DIR --devices=1000 --fields=10 --interval_ms=5000 --hours=24\n"
    "  get         --url= --path=/api/latest --requests=100 --post=BODY\n"
    "  resume      --url= --resumes=1000 --resuming_at_once=1 --gateways=16 --gateway_devices=100 --from_ms= --to_ms=\n"
    "  limit       --listen=127.0.0.1:0 --mode=send|joined\n";

}  // namespace

int main(int argc, char** argv) {
  using namespace millstream::load;
  const std::map<std::string_view, millstream::Status (*)(Options&)> subcommands = {
      {"viewers", run_viewers}, {"idle", run_idle},     {"ingest", run_ingest}, {"day", run_day},
      {"get", run_get},         {"resume", run_resume}, {"limit", run_limit}};
  const auto chosen = argc < 2 ? subcommands.end() : subcommands.find(argv[1]);
  if (chosen == subcommands.end()) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  ::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to its socket without MSG_NOSIGNAL
  raise_open_files();
  Options options(argc - 2, argv + 2);
  const millstream::Status status = chosen->second(options);
  if (status) return 0;
  std::fprintf(stderr, "millstream-load %s: %s\n", argv[1], status.error().detail.c_str());
  return status.error().code == millstream::Code::invalid ? 2 : 1;
}
