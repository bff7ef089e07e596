// app/sqs_settings.h: what the configuration says about queues of Amazon SQS that are read: the [[sqs]] entries.
//
// Shapes   The credential is access_key_id with secret_key_file or, where neither is given, that of the variables
//          AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. The region and the endpoint follow from a
//          queue_url of AWS.
// Errors   Code::invalid naming the place: a URL that is none, a region that does not follow, a secret in a file others
//          can read, two entries of one name. SQS is not asked.
// Thread   startup
#pragma once

#include <map>
#include <string>
#include <vector>

#include "app/sqs_transport.h"
#include "app/toml_file.h"
#include "base/result.h"
#include "connect/sqs_feed.h"

namespace millstream::app {

inline constexpr size_t kSqsFeedsMax = 16;  // each has a thread of its own

struct SqsSettings {
  connect::SqsFeedOptions feed;
  SqsAccess access;
};

Result<std::vector<SqsSettings>> read_sqs(const std::vector<TomlFile::Entry>& entries,
                                          const std::map<std::string, std::string>& environment);

// That there is a credential, which commands beside the server do without, and that the file of a certificate authority
// can be read.
Status check_sqs(const std::vector<SqsSettings>& all);

}  // namespace millstream::app
