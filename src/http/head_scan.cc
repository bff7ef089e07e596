#include "http/head_scan.h"

namespace millstream::http {

HeadScan::Verdict HeadScan::scan(std::string_view text) {
  while (true) {
    const size_t line_feed = text.find('\n', seen_);
    if (line_feed == std::string_view::npos) {
      seen_ = text.size();
      return check_unfinished(text);
    }
    const Verdict verdict = take_line(text, line_feed);
    if (verdict != Verdict::more) return verdict;
  }
}

HeadScan::Verdict HeadScan::take_line(std::string_view text, size_t line_feed) {
  const std::string_view line = text.substr(line_, line_feed - line_);
  if (line.find('\r') != line.size() - 1) return Verdict::bad_line_ending;  // also when there is none
  const size_t size = line.size() - 1;
  line_ = seen_ = line_feed + 1;
  if (size == 0 && lines_ == 0) {
    if (begin_ != 0) return Verdict::bad_line_ending;  // one empty line is forgiven, a row of them is not
    begin_ = line_;
    return Verdict::more;
  }
  if (size == 0) return line_ - begin_ > limits_->header_bytes_max ? Verdict::head_too_long : Verdict::complete;
  if (line.front() == ' ' || line.front() == '\t') return Verdict::folded_line;
  ++lines_;
  if (lines_ == 1) {
    const size_t first = line.find(' ');
    const size_t target_size = line.rfind(' ') - first;
    if (first != std::string_view::npos && target_size > limits_->target_bytes_max + 1) return Verdict::target_too_long;
    if (line.size() > request_line_bytes_max()) return Verdict::target_too_long;
  }
  if (lines_ - 1 > limits_->header_fields_max) return Verdict::too_many_fields;
  return line_ - begin_ > limits_->header_bytes_max ? Verdict::head_too_long : Verdict::more;
}

HeadScan::Verdict HeadScan::check_unfinished(std::string_view text) const {
  const size_t size = text.size() - begin_;
  if (lines_ == 0 && size > request_line_bytes_max()) return Verdict::target_too_long;
  return size > limits_->header_bytes_max ? Verdict::head_too_long : Verdict::more;
}

}  // namespace millstream::http
