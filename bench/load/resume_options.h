// load/resume_options.h: the flags of clients that come back, and the figures they give: for `resume`, and for
// `viewers` that are watched beside them.
//
// Thread   value
#pragma once

#include "load/json_line.h"
#include "load/options.h"
#include "load/resumes.h"

namespace millstream::load {

ResumeShape read_resume_shape(Options& options, bool stay);
Status check(const ResumeShape& shape);
void add_latencies(const Resumes& resumes, JsonLine& line);

}  // namespace millstream::load
