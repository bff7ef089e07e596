#include "load/h2_streams.h"

#include <nghttp2/nghttp2.h>

#include <charconv>

namespace millstream::load {
namespace {

constexpr uint32_t kWindowBytes = 1 << 30;

// The viewer's number + 1, because no user data reads as null.
uint32_t viewer_of(nghttp2_session* session, int32_t stream) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(nghttp2_session_get_stream_user_data(session, stream)) - 1);
}

nghttp2_nv field(const std::string& name, const std::string& value) {
  const auto bytes = [](const std::string& text) {
    return const_cast<uint8_t*>(reinterpret_cast<const uint8_t*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct H2Callbacks {
  static int header(nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
                    const uint8_t* value, size_t value_size, uint8_t, void* self) {
    if (std::string_view(reinterpret_cast<const char*>(name), name_size) != ":status") return 0;
    const char* const begin = reinterpret_cast<const char*>(value);
    int status = 0;
    std::from_chars(begin, begin + value_size, status);
    static_cast<H2Streams*>(self)->events_.on_head(viewer_of(session, frame->hd.stream_id), status);
    return 0;
  }
  static int body(nghttp2_session* session, uint8_t, int32_t stream, const uint8_t* bytes, size_t size, void* self) {
    static_cast<H2Streams*>(self)->events_.on_body(viewer_of(session, stream),
                                                   {reinterpret_cast<const char*>(bytes), size});
    return 0;
  }
  static int end(nghttp2_session* session, int32_t stream, uint32_t, void* self) {
    static_cast<H2Streams*>(self)->events_.on_end(viewer_of(session, stream));
    return 0;
  }
};

H2Streams::H2Streams(Events events) : events_(std::move(events)), session_(nullptr, nghttp2_session_del) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, H2Callbacks::header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, H2Callbacks::body);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, H2Callbacks::end);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, this);
  session_.reset(session);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
                                             {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindowBytes}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings));
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kWindowBytes);
}

void H2Streams::get(const Fields& fields, uint32_t viewer) {
  std::vector<nghttp2_nv> values;
  for (const auto& [name, value] : fields) values.push_back(field(name, value));
  nghttp2_submit_request(session_.get(), nullptr, values.data(), values.size(), nullptr,
                         reinterpret_cast<void*>(uintptr_t{viewer} + 1));
}

Status H2Streams::feed(std::string_view bytes) {
  const ssize_t used =
      nghttp2_session_mem_recv(session_.get(), reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  if (used < 0) return Error{Code::unavailable, nghttp2_strerror(static_cast<int>(used))};
  return {};
}

std::string H2Streams::take_output() {
  std::string output;
  for (;;) {
    const uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(session_.get(), &bytes);
    if (size <= 0) return output;
    output.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  }
}

}  // namespace millstream::load
