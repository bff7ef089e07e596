// http/h2_test_client.h: frames of HTTP/2 written and read one by one, right or wrong, for tests.
//
// Source   RFC 9113 section 4 and 6, RFC 7541 6.2.2 (literals without indexing)
#pragma once

#include <nghttp2/nghttp2.h>

#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/h2_connection.h"
#include "http/test_client.h"

namespace millstream::http {

inline std::string big_endian(uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}

// `length`: what the head says, when it is not the truth.
inline std::string h2_frame(int type, int flags, uint32_t stream, std::string_view payload, int64_t length = -1) {
  const uint64_t said = length < 0 ? payload.size() : static_cast<uint64_t>(length);
  return big_endian(said, 3) + static_cast<char>(type) + static_cast<char>(flags) + big_endian(stream, 4) +
         std::string(payload);
}

using H2Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string h2_block(const H2Fields& fields) {
  std::string block;
  const auto text = [&](std::string_view value) {
    if (value.size() < 127) {
      block += static_cast<char>(value.size());
    } else {  // RFC 7541 5.1
      block += '\x7f';
      size_t left = value.size() - 127;
      for (; left >= 128; left /= 128) block += static_cast<char>(left % 128 + 128);
      block += static_cast<char>(left);
    }
    block += value;
  };
  for (const auto& [name, value] : fields) {
    block += '\0';
    text(name);
    text(value);
  }
  return block;
}

inline H2Fields h2_get(std::string path, H2Fields more = {}, std::string method = "GET") {
  H2Fields fields{{":method", std::move(method)}, {":scheme", "http"}, {":path", std::move(path)}, {":authority", "h"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

// END_HEADERS, and END_STREAM unless a body follows.
inline std::string h2_headers(uint32_t stream, const H2Fields& fields, bool body_follows = false) {
  return h2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS | (body_follows ? 0 : NGHTTP2_FLAG_END_STREAM), stream,
                  h2_block(fields));
}
inline std::string h2_settings(const std::vector<std::pair<int, uint32_t>>& entries, int flags = 0) {
  std::string payload;
  for (const auto& [id, value] : entries) payload += big_endian(static_cast<uint64_t>(id), 2) + big_endian(value, 4);
  return h2_frame(NGHTTP2_SETTINGS, flags, 0, payload);
}
inline std::string h2_window(uint32_t stream, uint32_t bytes) {
  return h2_frame(NGHTTP2_WINDOW_UPDATE, 0, stream, big_endian(bytes, 4));
}
inline std::string h2_reset(uint32_t stream, uint32_t code = NGHTTP2_CANCEL) {
  return h2_frame(NGHTTP2_RST_STREAM, 0, stream, big_endian(code, 4));
}
inline std::string h2_ping(std::string_view eight, int flags = 0) { return h2_frame(NGHTTP2_PING, flags, 0, eight); }

struct H2Frame {
  int type = -1;  // -1: the connection has ended
  int flags = 0;
  uint32_t stream = 0;
  std::string payload;
  H2Fields fields;  // of HEADERS

  std::string field(std::string_view name) const {
    for (const auto& [n, value] : fields) {
      if (n == name) return value;
    }
    return "";
  }
  uint32_t number(size_t at) const {
    uint32_t value = 0;
    for (size_t i = at; i < at + 4 && i < payload.size(); ++i) {
      value = value << 8 | static_cast<unsigned char>(payload[i]);
    }
    return value;
  }
};

class H2TestClient {
 public:
  // `settings`: the client's own.
  explicit H2TestClient(const TestServer& server, const std::vector<std::pair<int, uint32_t>>& settings = {})
      : client_(0) {
    server.connect(client_);
    MS_CHECK(nghttp2_hd_inflate_new(&inflater_) == 0);
    client_.send(std::string(kH2Preface) + h2_settings(settings));
  }
  ~H2TestClient() { nghttp2_hd_inflate_del(inflater_); }
  H2TestClient(const H2TestClient&) = delete;
  H2TestClient& operator=(const H2TestClient&) = delete;

  bool send(std::string_view bytes) { return client_.send(bytes); }
  void close() { client_.close(); }

  H2Frame receive() {
    H2Frame frame;
    const std::string head = client_.receive_bytes(9);
    if (head.size() < 9) return frame;
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(head[i])); };
    frame.payload = client_.receive_bytes(byte(0) << 16 | byte(1) << 8 | byte(2));
    frame.type = static_cast<int>(byte(3));
    frame.flags = static_cast<int>(byte(4));
    frame.stream = static_cast<uint32_t>(byte(5) << 24 | byte(6) << 16 | byte(7) << 8 | byte(8));
    if (frame.type == NGHTTP2_HEADERS) inflate(frame);
    return frame;
  }
  // The next frame that is neither SETTINGS nor WINDOW_UPDATE.
  H2Frame next() {
    while (true) {
      H2Frame frame = receive();
      if (frame.type != NGHTTP2_SETTINGS && frame.type != NGHTTP2_WINDOW_UPDATE) return frame;
    }
  }
  struct Reply {
    int status = 0;
    H2Frame head;
    std::string body;
    bool whole = false;
  };
  // The whole answer on one stream; frames of others are dropped.
  Reply reply(uint32_t stream) {
    Reply reply;
    while (!reply.whole) {
      H2Frame frame = next();
      if (frame.type < 0 || frame.type == NGHTTP2_GOAWAY) break;
      if (frame.stream != stream) continue;
      if (frame.type == NGHTTP2_RST_STREAM) break;
      if (frame.type == NGHTTP2_HEADERS) {
        const std::string status = frame.field(":status");
        std::from_chars(status.data(), status.data() + status.size(), reply.status);
        reply.head = frame;
      }
      if (frame.type == NGHTTP2_DATA) reply.body += frame.payload;
      reply.whole = frame.flags & NGHTTP2_FLAG_END_STREAM;
    }
    return reply;
  }

 private:
  void inflate(H2Frame& frame) {
    const auto* in = reinterpret_cast<const uint8_t*>(frame.payload.data());
    size_t left = frame.payload.size();
    for (int flags = 0; !(flags & NGHTTP2_HD_INFLATE_FINAL);) {
      nghttp2_nv field{};
      const ssize_t used = nghttp2_hd_inflate_hd2(inflater_, &field, &flags, in, left, 1);
      MS_CHECK(used >= 0);
      in += used;
      left -= static_cast<size_t>(used);
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        frame.fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                                  std::string(reinterpret_cast<char*>(field.value), field.valuelen));
      }
    }
    nghttp2_hd_inflate_end_headers(inflater_);
  }

  TestClient client_;
  nghttp2_hd_inflater* inflater_ = nullptr;
};

}  // namespace millstream::http
