// The subcommand resume: how long a client that comes back waits for its first byte and its first event.
#include "load/json_line.h"
#include "load/resume_options.h"
#include "load/subcommands.h"
#include "load/target_options.h"

namespace millstream::load {
namespace {
constexpr int64_t kStallNs = 15'000'000'000;
}

Status run_resume(Options& options) {
  const ResumeShape shape = read_resume_shape(options, false);
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();
  if (const Status status = check(shape); !status) return status;

  Poller poller;
  Resumes resumes(poller, target->server, target->extra_headers, shape);
  const CpuReading before = target->cost.cpu();
  int64_t progress_ns = now_ns();
  while (!resumes.done() && now_ns() - progress_ns < kStallNs) {
    if (const Status status = resumes.start(); !status) return status;
    const int64_t reached = resumes.counts().reached;
    for (const epoll_event& event : poller.wait(50'000'000)) resumes.on_ready(event.data.u64, event.events);
    if (resumes.counts().reached > reached) progress_ns = now_ns();
  }
  const CpuReading cpu = target->cost.cpu().since(before);
  JsonLine line;
  line.add("seconds", static_cast<double>(cpu.at_ns) / 1e9).add("resumes", resumes.counts().reached);
  add_latencies(resumes, line);
  const double reached = static_cast<double>(std::max<int64_t>(resumes.counts().reached, 1));
  line.add("server_us_per_resume", static_cast<double>(cpu.server_ns + cpu.ksoftirqd_ns) / 1000 / reached);
  line.add("foreign_cpu_share",
           static_cast<double>(cpu.core_busy_ns - cpu.server_ns - cpu.ksoftirqd_ns) / static_cast<double>(cpu.at_ns));
  line.add("strange", resumes.counts().strange).add("declared_gaps", resumes.counts().declared_gaps);
  line.add("closed", resumes.counts().closed).add("stalled", int64_t{!resumes.done()});
  line.print();
  return {};
}

}  // namespace millstream::load
