// api/published.h: whether a published event may be stored now: its time, how many alerts are open, who acknowledged.
//
// Errors   Code::invalid: its time; Code::unprocessable: one open alert too many.
// Thread   any
#pragma once

#include "api/context.h"
#include "base/result.h"
#include "codec/published_event.h"
#include "model/event.h"

namespace millstream::api {

// The rights of whoever publishes are the caller's to check.
Result<model::Event> admit_published(const Context& context, codec::PublishedEvent published);

}  // namespace millstream::api
