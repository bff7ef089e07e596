#include "app/sqs_transport.h"

#include <utility>

#include "app/http_client.h"

namespace millstream::app {
namespace {

class CurlSqsTransport final : public connect::SqsTransport {
 public:
  explicit CurlSqsTransport(SqsAccess access) : access_(std::move(access)) {}

  Result<connect::SqsReply> post(const connect::SqsPost& post, const std::function<bool()>& keep_going) override {
    bool is_complete = true;
    const auto still_going = [&] { return is_complete = !keep_going || keep_going(); };
    Result<HttpAnswer> answer = client_.send(request(post), still_going);
    if (!answer) return answer.error();
    if (!is_complete) return Error{Code::unavailable, "stopped"};
    if (!answer->broken.empty()) return Error{Code::unavailable, answer->broken};
    return connect::SqsReply{.status = answer->status, .body = std::move(answer->body)};
  }

 private:
  HttpRequest request(const connect::SqsPost& post) const {
    HttpRequest request{.url = access_.endpoint, .headers = post.headers, .body = post.body};
    request.timeout_ms = post.timeout_ms;
    request.ca_file = access_.ca_file;
    request.answer_bytes_max = post.answer_bytes_max;
    request.aws = AwsSigner{.region = access_.region,
                            .service = "sqs",
                            .access_key_id = access_.access_key_id,
                            .secret_key = access_.secret_key};
    if (!access_.session_token.empty()) request.headers.push_back("X-Amz-Security-Token: " + access_.session_token);
    return request;
  }

  const SqsAccess access_;
  HttpClient client_;
};

}  // namespace

std::unique_ptr<connect::SqsTransport> make_sqs_transport(const SqsAccess& access) {
  return std::make_unique<CurlSqsTransport>(access);
}

}  // namespace millstream::app
