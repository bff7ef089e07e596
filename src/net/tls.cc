#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>

#include "base/check.h"
#include "base/freed.h"
#include "net/socket.h"

namespace millstream::net {

namespace {

using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>>;

constexpr size_t kRecordBytesMax = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr long kSelfSignedSeconds = 397L * 86'400;
constexpr const char* kCiphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kGroups = "X25519:P-256:P-384";
constexpr std::string_view kProtocols = "\x02h2\x08http/1.1";

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, chosen_size, reinterpret_cast<const unsigned char*>(kProtocols.data()),
                            static_cast<unsigned int>(kProtocols.size()), offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int no_pass_phrase(char*, int, int, void*) { return 0; }

Bio reading(const std::string& text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

Error refused(std::string why) {
  const unsigned long code = ERR_get_error();
  if (const char* reason = code ? ERR_reason_error_string(code) : nullptr) why += std::string(" (") + reason + ")";
  ERR_clear_error();
  return Error{Code::invalid, std::move(why)};
}

}  // namespace

// A socket that takes every byte: OpenSSL never has to repeat a write.
struct TlsSocket {
  static int read(BIO* bio, char* out, int size) {
    BIO_clear_retry_flags(bio);
    const int fd = static_cast<TlsSession*>(BIO_get_data(bio))->fd_;
    ssize_t got;
    do {
      got = ::recv(fd, out, static_cast<size_t>(size), MSG_DONTWAIT);
    } while (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_read(bio);
    return static_cast<int>(got);
  }
  static int write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    auto* session = static_cast<TlsSession*>(BIO_get_data(bio));
    return session->put({bytes, static_cast<size_t>(size)}) ? size : -1;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static BIO_METHOD* method() {
    static BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket that keeps what does not fit");
      MS_CHECK(m && BIO_meth_set_read(m, read) && BIO_meth_set_write(m, write) && BIO_meth_set_ctrl(m, control));
      return m;
    }();
    return made;
  }
};

TlsSession::TlsSession(ssl_st* ssl, int fd, Side side) : ssl_(ssl), fd_(fd) {
  BIO* bio = BIO_new(TlsSocket::method());
  MS_CHECK(bio);
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_, bio, bio);
  side == Side::server ? SSL_set_accept_state(ssl_) : SSL_set_connect_state(ssl_);
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::is_established() const { return SSL_is_init_finished(ssl_) == 1; }

ssize_t TlsSession::receive(char* out, size_t size) {
  ERR_clear_error();
  size_t got = 0;
  // A record that does not fit would be kept by OpenSSL, where no readiness event tells of it.
  do {
    size_t record = 0;
    const int result = SSL_read_ex(ssl_, out + got, size - got, &record);
    if (result <= 0) {
      if (got > 0) break;
      return failed(result);
    }
    got += record;
  } while (size - got >= kRecordBytesMax || SSL_pending(ssl_) > 0);
  return static_cast<ssize_t>(got);
}

ssize_t TlsSession::failed(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ: errno = EAGAIN; return -1;
    case SSL_ERROR_ZERO_RETURN: return 0;
    default: break;
  }
  const unsigned long code = ERR_peek_error();
  heard_plain_http_ = ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
  if (const long verified = SSL_get_verify_result(ssl_); verified != X509_V_OK) {
    failure_ = X509_verify_cert_error_string(verified);
  } else if (const char* reason = code ? ERR_reason_error_string(code) : nullptr) {
    failure_ = reason;
  }
  ERR_clear_error();
  broken_ = true;
  errno = EPROTO;
  return -1;
}

ssize_t TlsSession::send(std::span<const iovec> pieces) {
  static thread_local std::array<char, kRecordBytesMax> record;
  ERR_clear_error();
  size_t taken = 0;
  size_t piece = 0;
  size_t offset = 0;  // in that piece
  while (!broken_ && flush()) {
    size_t size = 0;
    for (; piece < pieces.size() && size < record.size(); ++piece, offset = 0) {
      const size_t part = std::min(pieces[piece].iov_len - offset, record.size() - size);
      std::memcpy(record.data() + size, static_cast<const char*>(pieces[piece].iov_base) + offset, part);
      size += part;
      offset += part;
      if (offset < pieces[piece].iov_len) break;
    }
    if (size == 0) break;
    size_t written = 0;
    if (SSL_write_ex(ssl_, record.data(), size, &written) <= 0) {
      broken_ = true;  // with a socket that takes everything: the handshake was not complete, or the session ended
      break;
    }
    taken += size;
  }
  ERR_clear_error();
  if (broken_ && taken == 0) {
    errno = EPROTO;
    return -1;
  }
  return static_cast<ssize_t>(taken);
}

bool TlsSession::put(std::string_view bytes) {
  if (broken_) return false;
  if (unsent_.empty()) {
    const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    const ssize_t sent = send_some(fd_, {&piece, 1});
    broken_ = sent < 0;
    if (broken_) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  unsent_.append(bytes);
  return true;
}

bool TlsSession::flush() {
  if (unsent_.empty()) return true;
  const iovec piece{unsent_.data(), unsent_.size()};
  const ssize_t sent = send_some(fd_, {&piece, 1});
  if (sent < 0) {
    broken_ = true;
    return false;
  }
  unsent_.erase(0, static_cast<size_t>(sent));
  if (!unsent_.empty()) return false;
  std::string().swap(unsent_);
  return true;
}

void TlsSession::finish() {
  ERR_clear_error();
  if (!broken_ && SSL_is_init_finished(ssl_)) SSL_shutdown(ssl_);
  ERR_clear_error();
}

Result<std::shared_ptr<TlsContext>> TlsContext::make(const std::string& chain, const std::string& key) {
  auto context = std::make_shared<TlsContext>();
  if (Status s = context->replace(chain, key); !s) return s.error();
  return context;
}

Status TlsContext::replace(const std::string& chain, const std::string& key) {
  Result<Loaded> loaded = load(chain, key);
  if (!loaded) return loaded.error();
  const std::lock_guard lock(mu_);
  loaded_ = std::move(*loaded);
  return {};
}

Result<TlsContext::Loaded> TlsContext::load(const std::string& chain, const std::string& key) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> ssl(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!ssl) return refused("TLS cannot be set up");
  SSL_CTX_set_options(ssl.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(ssl.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(ssl.get(), SSL_SESS_CACHE_OFF);  // those who come back bring a ticket
  SSL_CTX_set_num_tickets(ssl.get(), 1);
  SSL_CTX_set_alpn_select_cb(ssl.get(), choose_protocol, nullptr);
  if (!SSL_CTX_set_min_proto_version(ssl.get(), TLS1_2_VERSION) || !SSL_CTX_set_cipher_list(ssl.get(), kCiphers12) ||
      !SSL_CTX_set1_groups_list(ssl.get(), kGroups)) {
    return refused("TLS cannot be set up");
  }
  const Bio certificates = reading(chain);
  const Certificate own(PEM_read_bio_X509(certificates.get(), nullptr, no_pass_phrase, nullptr));
  if (!own) return refused("no certificate in PEM form");
  if (SSL_CTX_use_certificate(ssl.get(), own.get()) != 1) return refused("the certificate cannot be used");
  while (X509* issuer = PEM_read_bio_X509(certificates.get(), nullptr, no_pass_phrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(ssl.get(), issuer) != 1) {
      X509_free(issuer);
      return refused("a certificate of the chain cannot be used");
    }
  }
  ERR_clear_error();
  const Key own_key(PEM_read_bio_PrivateKey(reading(key).get(), nullptr, no_pass_phrase, nullptr));
  if (!own_key) return refused("no private key in PEM form without a pass phrase");
  if (SSL_CTX_use_PrivateKey(ssl.get(), own_key.get()) != 1 || SSL_CTX_check_private_key(ssl.get()) != 1) {
    return refused("the private key does not belong to the certificate");
  }
  tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(own.get()), &end) != 1) return refused("the certificate's end is not a time");
  return Loaded{ssl, static_cast<int64_t>(timegm(&end))};
}

std::unique_ptr<TlsSession> TlsContext::accept(int fd) const {
  std::shared_ptr<SSL_CTX> context;
  {
    const std::lock_guard lock(mu_);
    context = loaded_.ssl;
  }
  SSL* ssl = SSL_new(context.get());  // keeps the context for itself
  return ssl ? std::make_unique<TlsSession>(ssl, fd, TlsSession::Side::server) : nullptr;
}

int64_t TlsContext::expires_at_s() const {
  const std::lock_guard lock(mu_);
  return loaded_.expires_at_s;
}

namespace {

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    const bool address = parse_address(name.find(':') == name.npos ? name + ":0" : "[" + name + "]:0").ok();
    text += (text.empty() ? "" : ",") + std::string(address && name != "localhost" ? "IP:" : "DNS:") + name;
  }
  return text;
}

bool fill(X509* certificate, EVP_PKEY* key, const std::vector<std::string>& names) {
  const std::unique_ptr<BIGNUM, Freed<BN_free>> number(BN_new());
  if (!number || !BN_rand(number.get(), 120, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY)) return false;
  X509_NAME* name = X509_get_subject_name(certificate);
  const auto* text = reinterpret_cast<const unsigned char*>("Millstream self-signed");
  return BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) && X509_set_version(certificate, 2) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -300) &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), kSelfSignedSeconds) && X509_set_pubkey(certificate, key) &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) &&
         X509_set_issuer_name(certificate, name) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, NID_subject_alt_name, alternative_names(names)) &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

Result<std::string> make_self_signed(const std::vector<std::string>& names) {
  ERR_clear_error();
  const Key key(EVP_EC_gen("P-256"));
  const Certificate certificate(X509_new());
  const Bio out(BIO_new(BIO_s_mem()));
  const bool made = key && certificate && out && fill(certificate.get(), key.get(), names) &&
                    PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1 &&
                    PEM_write_bio_X509(out.get(), certificate.get()) == 1;
  if (!made) return refused("no self-signed certificate could be made");
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

}  // namespace millstream::net
