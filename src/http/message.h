// http/message.h: a request as parsed, a response as it will be sent.
//
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millstream::http {

struct Header {
  std::string name;
  std::string value;
};

class Headers {
 public:
  void add(std::string name, std::string value) { list_.push_back({std::move(name), std::move(value)}); }
  // In place of all of that name.
  void set(std::string_view name, std::string value);
  // First value under that name, compared without case; empty when absent.
  std::string_view get(std::string_view name) const;
  bool has(std::string_view name) const;
  const std::vector<Header>& list() const { return list_; }

 private:
  std::vector<Header> list_;
};

// Query parameters, percent-decoded ("+" is a space), in order.
class Query {
 public:
  Query() = default;
  explicit Query(std::vector<std::pair<std::string, std::string>> list) : list_(std::move(list)) {}
  // Fails (nullopt) on a bad percent escape or a NUL.
  static std::optional<Query> parse(std::string_view text);
  std::optional<std::string_view> get(std::string_view name) const;  // first of that name
  const std::vector<std::pair<std::string, std::string>>& list() const { return list_; }

 private:
  std::vector<std::pair<std::string, std::string>> list_;
};

struct Request {
  std::string method;  // upper case
  std::string path;    // percent-decoded, starts with "/", no "." or ".." segments, no NUL
  Query query;
  Headers headers;
  std::string body;                   // whole, at most the route's limit; still compressed if it came so
  std::string peer;                   // remote address, without the port
  std::vector<std::string> captures;  // what the route's "{…}" segments took, in order
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response text(int status, std::string body, std::string content_type = "text/plain; charset=utf-8");
  static Response json(int status, std::string body) { return text(status, std::move(body), "application/json"); }
};

}  // namespace millstream::http
