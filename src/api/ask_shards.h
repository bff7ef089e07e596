// api/ask_shards.h: one question to the shards of all I/O threads, answered together.
//
// Thread   loop; `ask` runs on each shard's loop, `done` on the exchange's
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "api/context.h"

namespace millstream::api {

template <class Answer>
void ask_shards(Context& context, const http::ExchangePtr& exchange, std::function<Answer(hub::Shard&)> ask,
                std::function<void(std::vector<Answer>)> done) {
  struct Gathered {
    std::mutex mu;
    std::vector<Answer> answers;  // guarded by mu
    std::function<void(std::vector<Answer>)> done;
  };
  auto gathered = std::make_shared<Gathered>();
  gathered->done = std::move(done);
  for (const Context::Shard& entry : context.shards) {
    entry.loop->post([&shard = *entry.shard, ask, gathered, exchange, count = context.shards.size()] {
      Answer answer = ask(shard);
      const std::lock_guard lock(gathered->mu);
      gathered->answers.push_back(std::move(answer));
      if (gathered->answers.size() < count) return;
      exchange->loop().post([gathered, exchange] { gathered->done(std::move(gathered->answers)); });
    });
  }
}

}  // namespace millstream::api
