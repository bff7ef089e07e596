// app/sqs_transport.h: requests to Amazon SQS by libcurl, which signs them (Signature Version 4).
//
// Errors   as connect/sqs_transport.h
// Thread   make_sqs_transport(): startup; what it makes: one thread at a time
#pragma once

#include <memory>
#include <string>

#include "connect/sqs_transport.h"

namespace millstream::app {

struct SqsAccess {
  std::string endpoint;  // "https://sqs.eu-west-1.amazonaws.com/"
  std::string region;
  std::string access_key_id;
  std::string secret_key;
  std::string session_token;  // of temporary credentials
  std::string ca_file;        // PEM: who alone may vouch for the endpoint; empty: those the system trusts
};

std::unique_ptr<connect::SqsTransport> make_sqs_transport(const SqsAccess& access);

}  // namespace millstream::app
