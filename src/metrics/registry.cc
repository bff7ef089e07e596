#include "metrics/registry.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace millstream::metrics {
namespace {

bool is_metric_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == ':';
  });
}

template <class N>
void append_number(N value, std::string& out) {
  char buffer[40];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// `extra` is one more label after those the metric was made with.
void append_series(std::string_view name, std::string_view suffix, std::string_view labels, std::string_view extra,
                   std::string& out) {
  out += name;
  out += suffix;
  if (labels.empty() && extra.empty()) {
    out += ' ';
    return;
  }
  out += '{';
  out += labels;
  if (!labels.empty() && !extra.empty()) out += ',';
  out += extra;
  out += "} ";
}

template <class N>
void append_sample(std::string_view name, std::string_view suffix, std::string_view labels, std::string_view extra,
                   N value, std::string& out) {
  append_series(name, suffix, labels, extra, out);
  append_number(value, out);
  out += '\n';
}

// The count is the sum of the buckets as read here, so that a scrape never shows a +Inf bucket unlike the count.
void append_histogram(std::string_view name, std::string_view labels, const Histogram& histogram, std::string& out) {
  uint64_t count = 0;
  std::string le;
  for (size_t i = 0; i < Histogram::kBuckets; ++i) {
    count += histogram.bucket(i);
    le = "le=\"";
    append_number(static_cast<double>(uint64_t{1} << i) / 1e6, le);
    le += '"';
    append_sample(name, "_bucket", labels, le, count, out);
  }
  count += histogram.bucket(Histogram::kBuckets);
  append_sample(name, "_bucket", labels, "le=\"+Inf\"", count, out);
  append_sample(name, "_sum", labels, {}, static_cast<double>(histogram.sum_us()) / 1e6, out);
  append_sample(name, "_count", labels, {}, count, out);
}

void append_head(std::string_view name, std::string_view help, std::string_view type, std::string& out) {
  out += "# HELP ";
  out += name;
  out += ' ';
  for (const char c : help) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

}  // namespace

size_t Registry::find_or_add(Kind kind, std::string_view name, std::string_view help, std::string_view labels,
                             size_t next) {
  MS_CHECK(is_metric_name(name));
  for (const Entry& entry : entries_) {
    if (entry.name != name) continue;
    MS_CHECK(type_of(entry.kind) == type_of(kind));  // one name, one TYPE line
    if (entry.labels != labels) continue;
    MS_CHECK(entry.kind == kind);
    return entry.index;
  }
  entries_.push_back({kind, std::string(name), std::string(help), std::string(labels), next});
  return next;
}

Counter& Registry::counter(std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mu_);
  const size_t index = find_or_add(Kind::counter, name, help, labels, counters_.size());
  if (index == counters_.size()) counters_.emplace_back();
  return counters_[index];
}

Gauge& Registry::gauge(std::string_view name, std::string_view help, std::string_view labels) {
  std::lock_guard lock(mu_);
  const size_t index = find_or_add(Kind::gauge, name, help, labels, gauges_.size());
  if (index == gauges_.size()) gauges_.emplace_back();
  return gauges_[index];
}

Histogram& Registry::histogram(std::string_view name, std::string_view help, std::string_view labels) {
  MS_CHECK(name.ends_with("_seconds"));
  std::lock_guard lock(mu_);
  const size_t index = find_or_add(Kind::histogram, name, help, labels, histograms_.size());
  if (index == histograms_.size()) histograms_.emplace_back();
  return histograms_[index];
}

void Registry::gauge_from(std::string_view name, std::string_view help, std::function<int64_t()> read,
                          std::string_view labels) {
  std::lock_guard lock(mu_);
  const size_t index = find_or_add(Kind::read, name, help, labels, reads_.size());
  if (index == reads_.size()) reads_.emplace_back();
  reads_[index] = std::move(read);
}

std::string_view Registry::type_of(Kind kind) {
  switch (kind) {
    case Kind::counter: return "counter";
    case Kind::histogram: return "histogram";
    case Kind::gauge:
    case Kind::read: return "gauge";
  }
  return "untyped";
}

void Registry::append_entry(const Entry& entry, const std::vector<int64_t>& read_values, std::string& out) const {
  switch (entry.kind) {
    case Kind::counter: append_sample(entry.name, {}, entry.labels, {}, counters_[entry.index].value(), out); return;
    case Kind::gauge: append_sample(entry.name, {}, entry.labels, {}, gauges_[entry.index].value(), out); return;
    case Kind::histogram: append_histogram(entry.name, entry.labels, histograms_[entry.index], out); return;
    case Kind::read:
      // One added between the reading and the printing shows at the next scrape.
      if (entry.index < read_values.size()) {
        append_sample(entry.name, {}, entry.labels, {}, read_values[entry.index], out);
      }
      return;
  }
}

std::string Registry::prometheus_text() const {
  // The reads run without the lock: they may take locks of their own or make a metric.
  std::vector<std::function<int64_t()>> reads;
  {
    std::lock_guard lock(mu_);
    reads = reads_;
  }
  std::vector<int64_t> read_values;
  read_values.reserve(reads.size());
  for (const auto& read : reads) read_values.push_back(read());

  std::lock_guard lock(mu_);
  // All series of one name must stand together, in whatever order they were made.
  std::vector<const Entry*> order;
  order.reserve(entries_.size());
  for (const Entry& entry : entries_) order.push_back(&entry);
  std::stable_sort(order.begin(), order.end(), [](const Entry* a, const Entry* b) { return a->name < b->name; });
  std::string out;
  const std::string* last = nullptr;
  for (const Entry* entry : order) {
    if (last == nullptr || *last != entry->name) append_head(entry->name, entry->help, type_of(entry->kind), out);
    last = &entry->name;
    append_entry(*entry, read_values, out);
  }
  return out;
}

}  // namespace millstream::metrics
