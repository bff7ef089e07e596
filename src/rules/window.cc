#include "rules/window.h"

namespace millstream::rules {

WindowSums WindowSums::of(double value, int64_t ms) {
  return {.count = 1,
          .sum = value,
          .mean = value,
          .squares = 0,
          .min = value,
          .max = value,
          .first = value,
          .last = value,
          .increase = 0,
          .first_ms = ms,
          .last_ms = ms};
}

WindowSums WindowSums::followed_by(const WindowSums& later) const {
  if (count == 0) return later;
  if (later.count == 0) return *this;
  WindowSums all;
  all.count = count + later.count;
  const auto n = static_cast<double>(count), m = static_cast<double>(later.count), total = n + m;
  const double apart = later.mean - mean;
  all.sum = sum + later.sum;
  all.mean = mean + apart * (m / total);
  all.squares = squares + later.squares + apart * apart * (n * m / total);
  all.min = std::min(min, later.min);
  all.max = std::max(max, later.max);
  all.first = first;
  all.last = later.last;
  all.increase = increase + later.increase + (later.first >= last ? later.first - last : later.first);
  all.first_ms = first_ms;
  all.last_ms = later.last_ms;
  return all;
}

void Window::add(double value, int64_t ms, int64_t window_ms) {
  drop_until(ms - window_ms);
  const WindowSums sums = WindowSums::of(value, ms);
  if (!back_.empty() && ms - back_.back().first_ms < window_ms / kPanes) {
    back_.back() = back_.back().followed_by(sums);
  } else {
    back_.push_back(sums);
  }
  back_sums_ = back_sums_.followed_by(sums);
}

void Window::drop_until(int64_t ms) {
  while (!front_.empty() || !back_.empty()) {
    if (front_.empty()) {
      for (; !back_.empty(); back_.pop_back()) {
        front_panes_.push_back(back_.back());
        front_.push_back(front_.empty() ? back_.back() : back_.back().followed_by(front_.back()));
      }
      back_sums_ = {};
    }
    if (front_panes_.back().last_ms > ms) return;
    front_.pop_back();
    front_panes_.pop_back();
  }
}

WindowSums Window::sums() const { return front_.empty() ? back_sums_ : front_.back().followed_by(back_sums_); }

namespace {

void save_sums(const WindowSums& s, model::StateWriter& writer) {
  writer.number(s.count).real(s.sum).real(s.mean).real(s.squares).real(s.min).real(s.max).real(s.first).real(s.last);
  writer.real(s.increase).number(s.first_ms).number(s.last_ms);
}

WindowSums load_sums(model::StateReader& reader) {
  WindowSums s;
  s.count = static_cast<uint64_t>(reader.number());
  for (double* member : {&s.sum, &s.mean, &s.squares, &s.min, &s.max, &s.first, &s.last, &s.increase}) {
    *member = reader.real();
  }
  s.first_ms = reader.number();
  s.last_ms = reader.number();
  return s;
}

}  // namespace

// With the stacks as they stand, and the sums as they came about: what is loaded goes on to the last bit alike.
void Window::save(model::StateWriter& writer) const {
  writer.number(front_.size()).number(back_.size());
  for (size_t i = 0; i < front_.size(); ++i) {
    save_sums(front_panes_[i], writer);
    save_sums(front_[i], writer);
  }
  for (const WindowSums& pane : back_) save_sums(pane, writer);
  save_sums(back_sums_, writer);
}

bool Window::load(model::StateReader& reader) {
  const int64_t front = reader.number(), back = reader.number();
  if (front < 0 || back < 0 || front + back > 2 * kPanes + 2) return false;
  *this = {};
  for (int64_t i = 0; i < front && reader.ok(); ++i) {
    front_panes_.push_back(load_sums(reader));
    front_.push_back(load_sums(reader));
  }
  for (int64_t i = 0; i < back && reader.ok(); ++i) back_.push_back(load_sums(reader));
  back_sums_ = load_sums(reader);
  return reader.ok();
}

}  // namespace millstream::rules
